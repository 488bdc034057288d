import { z } from 'zod'
import { PERIOD_SECONDS } from '../../protocol/limits.ts'
import { recordIntervalsOf } from './recordSize.ts'

const DAY_SECONDS = 86_400

/** How meter readings become records. One section for all EVSEs; each EVSE may have its own values over it. */
export const meteringConfigSchema = z.strictObject({
  recordSeconds: z
    .union([15, 30, 45, 60, 75, 90, 150, 180, 225, 300, 450, 900].map((seconds) => z.literal(seconds)))
    .default(PERIOD_SECONDS)
    .describe('A record is cut at every multiple of this, s: a divisor of 900 and a multiple of 15.'),
  maxGapSeconds: z
    .number()
    .int()
    .min(15)
    .max(30 * DAY_SECONDS)
    .default(PERIOD_SECONDS)
    .describe(
      'Between two readings further apart than this nobody knows in which period energy flowed: it is put aside, s.',
    ),
  gapWaitSeconds: z
    .number()
    .int()
    .min(0)
    .max(7 * DAY_SECONDS)
    .default(3_600)
    .describe('How long what follows a missing message waits for it, s of waiting. 0: not at all.'),
  transactionIdleSeconds: z
    .number()
    .int()
    .min(60)
    .max(30 * DAY_SECONDS)
    .default(21_600)
    .describe('A transaction that says nothing for so long is cut at its last reading, s.'),
  gapReleaseSeconds: z
    .number()
    .int()
    .min(0)
    .max(30 * DAY_SECONDS)
    .default(DAY_SECONDS)
    .describe(
      'How long later records of an EVSE wait for a person’s word on GAP_TOO_LONG energy before them, and energy from after the end of its slot for another slot, s. 0: not at all.',
    ),
  forgetSeconds: z
    .number()
    .int()
    .min(3_600)
    .max(365 * DAY_SECONDS)
    .default(7 * DAY_SECONDS)
    .describe('How long after its end a transaction’s messages are known as repeats, s.'),
  socSource: z
    .enum(['measured', 'capacity'])
    .default('measured')
    .describe('`capacity`: a car that never tells its state of charge is taken to lose energy ÷ capacity.'),
  socResolutionBp: z
    .number()
    .int()
    .min(0)
    .max(1_000)
    .default(100)
    .describe('Step of the car’s gauge, 0.01 %. The drop may be read up to one step above what the gauge shows.'),
  socMaxAgeSeconds: z
    .number()
    .int()
    .min(0)
    .max(DAY_SECONDS)
    .default(PERIOD_SECONDS)
    .describe('How far before the first and after the last reading of the gauge energy is taken as covered by it, s.'),
  socToleranceBps: z
    .number()
    .int()
    .min(0)
    .max(16_383)
    .default(0)
    .describe('The tariff’s tolerance of the state of charge, basis points. At most that of the tariff.'),
  meterResolutionWh: z
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(1)
    .describe('Step of the export register, Wh. A reading may lie this far off without being called inconsistent.'),
  registerScope: z
    .enum(['meter', 'transaction'])
    .default('meter')
    .describe('`transaction`: the register begins again at 0 with every transaction.'),
  exportsOnlyInTransaction: z
    .boolean()
    .default(false)
    .describe(
      'The contactor is open outside transactions: what the register rose since the last one belongs to the next.',
    ),
  evidenceMaxBytes: z
    .number()
    .int()
    .min(0)
    .default(1_073_741_824)
    .describe('Signed meter values kept for disputes, bytes of all EVSEs; the oldest delivered go first. 0: none.'),
})

export type MeteringConfig = z.infer<typeof meteringConfigSchema>

const { evidenceMaxBytes: _, ...ownShape } = meteringConfigSchema.shape
type OwnShape = { [Key in keyof typeof ownShape]: z.ZodOptional<ReturnType<(typeof ownShape)[Key]['unwrap']>> }

/** What one EVSE may set over the section. No key has a default here: a default would stand over what the section says. */
export const ownMeteringSchema = z.strictObject(
  Object.fromEntries(
    Object.entries(ownShape).map(([key, field]) => [
      key,
      field
        .unwrap()
        .optional()
        .describe(field.description ?? ''),
    ]),
  ) as OwnShape,
)

/** An EVSE whose energy is metered here. */
export interface MeteredEvse {
  /** Unique name in the configuration. */
  readonly name: string
  readonly lane: number
  /** Lane slot. */
  readonly slot: number
  /** Of the descriptor on L1, watts. */
  readonly ratedW: number
  /** Over the section's own values. */
  readonly metering?: Partial<Omit<MeteringConfig, 'evidenceMaxBytes'>>
}

/** What the cutting of one EVSE goes by: all of it data, nothing of it a clock. */
export type CutRules = Omit<MeteringConfig, 'evidenceMaxBytes'> & {
  readonly slot: number
  readonly ratedW: number
  /** Intervals of a record at most. */
  readonly recordIntervals: number
}

export function cutRulesOf(config: MeteringConfig, evse: MeteredEvse): CutRules {
  const { evidenceMaxBytes: _, ...shared } = config
  const rules = { ...shared, ...evse.metering }
  return {
    ...rules,
    slot: evse.slot,
    ratedW: evse.ratedW,
    recordIntervals: recordIntervalsOf(rules.recordSeconds, evse.ratedW),
  }
}
