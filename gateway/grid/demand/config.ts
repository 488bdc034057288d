import { z } from 'zod'
import { sourceNameSchema } from '../sourceName.ts'

/** One of `[[grid.demand]]`: whose events make which EVSEs discharge. */
export const demandRuleSchema = z.strictObject({
  source: sourceNameSchema.describe('Name of a source of events.'),
  evses: z.array(z.string().min(1)).min(1).optional().describe('Names of EVSEs; absent: all of the fleet.'),
  watts: z
    .enum(['split', 'each'])
    .default('split')
    .describe(
      'Watts of an event are for all of these EVSEs together (`split`, by rated power), or for each of them (`each`).',
    ),
  stressBps: z
    .number()
    .int()
    .min(0)
    .max(10_000)
    .default(0)
    .describe(
      'What an event that says only "stress" (OpenADR SIMPLE, alerts) asks for, hundredths of a percent of rated power; 0: nothing.',
    ),
})
export type DemandRule = z.infer<typeof demandRuleSchema>
