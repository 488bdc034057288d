import { z } from 'zod'
import { txConfigSchema } from '../../../l1/txManager/txPolicy.ts'
import { sourceNameSchema } from '../sourceName.ts'

const zoneConfigSchema = z.strictObject({
  /** Id on L1. Its publisher must be the account of `grid.publisher.keyFile`. */
  zone: z.number().int().min(0).max(0xffff_ffff),
  /** Names of sources of prices, the most trusted first: the first that prices a period decides. */
  prices: z.array(sourceNameSchema).min(1),
  /** Names of sources whose events ask for discharge. */
  events: z.array(sourceNameSchema).default([]),
  /**
   * `event-only`: a period has a price while an event asks for discharge (or the price itself came as an event), else 0. `always`: every
   * period that a source prices.
   */
  pricing: z.enum(['event-only', 'always']).default('event-only'),
  /** Of a period that events cover in part, `event-only`: `exclude` pays nothing in it, `include` all of it. */
  partialPeriods: z.enum(['exclude', 'include']).default('exclude'),
})
export type ZoneConfig = z.infer<typeof zoneConfigSchema>

/** `[grid.publisher]`. Absent: prices are gathered and shown, and not published. */
export const publisherConfigSchema = z.strictObject({
  /** Hex key of the zones' publisher, an account that nothing else sends from. */
  keyFile: z.string().min(1),
  zones: z
    .array(zoneConfigSchema)
    .min(1)
    .refine((zones) => new Set(zones.map(({ zone }) => zone)).size === zones.length, 'a zone is given twice'),
  /**
   * A price that is known must be on L1 so long before its period, minutes; later is `PRICE_LATE`. L1 freezes a period 30 minutes
   * before it starts.
   */
  leadMinutes: z.number().int().min(31).max(10_080).default(60),
  /** How far ahead prices are published, hours. */
  horizonHours: z.number().int().min(1).max(168).default(36),
  /** Between looks at L1 when no source says anything new, seconds. */
  pollSeconds: z.number().int().min(1).max(3_600).default(60),
  /** Periods that freeze within so long are sent in a transaction of their own, which others do not fail with, seconds. */
  freezeMarginSeconds: z.number().int().min(0).max(3_600).default(120),
  /** From a price becoming known to it being on L1, when it became known later than `leadMinutes`: more is late, seconds. */
  graceSeconds: z.number().int().min(1).max(3_600).default(300),
  /** Fees, finality, alarm of the balance. */
  transactions: txConfigSchema.prefault({}),
})
export type PublisherConfig = z.infer<typeof publisherConfigSchema>
