import { z } from 'zod'
import { sourceNameSchema } from '../sourceName.ts'

/** One of `[[grid.demand]]`: whose events make which EVSEs discharge. */
export const demandRuleSchema = z.strictObject({
  /** Name of a source of events. */
  source: sourceNameSchema,
  /** Names of EVSEs; absent: all of the fleet. */
  evses: z.array(z.string().min(1)).min(1).optional(),
  /** Watts of an event are for all of these EVSEs together (`split`, by rated power), or for each of them (`each`). */
  watts: z.enum(['split', 'each']).default('split'),
  /** What an event that says only "stress" (OpenADR SIMPLE, alerts) asks for, hundredths of a percent of rated power; 0: nothing. */
  stressBps: z.number().int().min(0).max(10_000).default(0),
})
export type DemandRule = z.infer<typeof demandRuleSchema>
