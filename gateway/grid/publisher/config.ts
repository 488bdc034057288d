import { z } from 'zod'
import { txConfigSchema } from '../../../l1/txManager/txPolicy.ts'
import { sourceNameSchema } from '../sourceName.ts'

const zoneConfigSchema = z.strictObject({
  zone: z
    .number()
    .int()
    .min(0)
    .max(0xffff_ffff)
    .describe('Id on L1. Its publisher must be the account of `grid.publisher.keyFile`.'),
  prices: z
    .array(sourceNameSchema)
    .min(1)
    .describe('Names of sources of prices, the most trusted first: the first that prices a period decides.'),
  events: z.array(sourceNameSchema).default([]).describe('Names of sources whose events ask for discharge.'),
  pricing: z
    .enum(['event-only', 'always'])
    .default('event-only')
    .describe(
      '`event-only`: a period has a price while an event asks for discharge (or the price itself came as an event), else 0. `always`: every period that a source prices.',
    ),
  partialPeriods: z
    .enum(['exclude', 'include'])
    .default('exclude')
    .describe(
      'Of a period that events cover in part, `event-only`: `exclude` pays nothing in it, `include` all of it.',
    ),
})
export type ZoneConfig = z.infer<typeof zoneConfigSchema>

/** `[grid.publisher]`. Absent: prices are gathered and shown, and not published. */
export const publisherConfigSchema = z.strictObject({
  keyFile: z.string().min(1).describe("Hex key of the zones' publisher, an account that nothing else sends from."),
  zones: z
    .array(zoneConfigSchema)
    .min(1)
    .refine((zones) => new Set(zones.map(({ zone }) => zone)).size === zones.length, 'a zone is given twice'),
  leadMinutes: z
    .number()
    .int()
    .min(31)
    .max(10_080)
    .default(60)
    .describe(
      'A price that is known must be on L1 so long before its period, minutes; later is `PRICE_LATE`. L1 freezes a period 30 minutes before it starts.',
    ),
  horizonHours: z.number().int().min(1).max(168).default(36).describe('How far ahead prices are published, hours.'),
  pollSeconds: z
    .number()
    .int()
    .min(1)
    .max(3_600)
    .default(60)
    .describe('Between looks at L1 when no source says anything new, seconds.'),
  freezeMarginSeconds: z
    .number()
    .int()
    .min(0)
    .max(3_600)
    .default(120)
    .describe(
      'Periods that freeze within so long are sent in a transaction of their own, which others do not fail with, seconds.',
    ),
  graceSeconds: z
    .number()
    .int()
    .min(1)
    .max(3_600)
    .default(300)
    .describe(
      'From a price becoming known to it being on L1, when it became known later than `leadMinutes`: more is late, seconds.',
    ),
  transactions: txConfigSchema.prefault({}).describe('Fees, finality, alarm of the balance.'),
})
export type PublisherConfig = z.infer<typeof publisherConfigSchema>
