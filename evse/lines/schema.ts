import { z } from 'zod'
import { MAX_CAPACITY_WH, MAX_SLOTS } from '../../protocol/limits.ts'

// Lines that a charger's firmware sends and gets: JSON, one object a line (docs/evse.md). Units are in the names.

const MAX_SAMPLES = 64
const MAX_EVIDENCE = 16

const unixMs = z
  .number()
  .int()
  .min(0)
  .max(2 ** 48 - 1)
/** Comes back in the answer. */
const id = z.string().min(1).max(64).optional()
const ageMs = z.number().min(0).max(86_400_000).default(0)
const tempC = z.number().min(-100).max(300).optional()
const transaction = z.string().min(1).max(64)
const seqNo = z.number().int().min(0).max(0xffffffff)

const reading = {
  atMs: unixMs,
  /** Export register, Wh; thousandths count. */
  exportWh: z
    .number()
    .min(0)
    .max(2 ** 40)
    .optional(),
  /** State of charge, %; hundredths count. */
  socPercent: z.number().min(0).max(100).optional(),
  tempC,
}
const sample = z.strictObject(reading)

const transactionLine = z.strictObject({
  type: z.literal('transaction'),
  id,
  event: z.enum(['started', 'updated', 'ended']),
  transaction,
  seqNo,
  atMs: unixMs,
  offline: z.boolean().default(false),
  contract: z
    .number()
    .int()
    .min(0)
    .max(MAX_SLOTS - 1)
    .optional(),
  /** Battery behind `contract`, Wh, if the configuration does not have it. */
  capacityWh: z
    .number()
    .int()
    .min(1)
    .max(MAX_CAPACITY_WH - 1)
    .optional(),
  samples: z.array(sample).max(MAX_SAMPLES).default([]),
  /** Signed meter values as they came, base64. */
  evidence: z.array(z.base64().max(32_768)).max(MAX_EVIDENCE).default([]),
})

/** Short for an `updated` transaction line with one sample. */
const sampleLine = z.strictObject({ type: z.literal('sample'), id, transaction, seqNo, ...reading })

const telemetryLine = z.strictObject({
  type: z.literal('telemetry'),
  /** How long ago it was measured. */
  ageMs,
  powerW: z.number().min(-10_000_000).max(10_000_000).optional(),
  tempC,
  gridVoltageV: z.number().min(0).max(100_000).optional(),
  gridFrequencyHz: z.number().min(0).max(1_000).optional(),
  plcSnrDb: z.number().min(-100).max(200).optional(),
  contactorClosed: z.boolean().optional(),
})

const positionLine = z.strictObject({
  type: z.literal('position'),
  id,
  lat: z.number().min(-90).max(90),
  lon: z.number().min(-180).max(180),
  ageMs,
})

/** How much is wanted, and for how long; for the guard. */
const demandLine = z.strictObject({
  type: z.literal('demand'),
  id,
  watts: z.number().min(0).max(10_000_000),
  seconds: z.number().min(0).max(86_400),
})

/** Lets a stopped guard begin again. */
const resetLine = z.strictObject({ type: z.literal('reset'), id })

/** What the hardware says to a command. */
const answerLine = z.strictObject({
  type: z.literal('answer'),
  command: z.number().int().min(1),
  answer: z.enum(['ACCEPTED', 'REJECTED']),
})

const statusLine = z.strictObject({ type: z.literal('status'), id })

export const inputLineSchema = z.discriminatedUnion('type', [
  transactionLine,
  sampleLine,
  telemetryLine,
  positionLine,
  demandLine,
  resetLine,
  answerLine,
  statusLine,
])
export type InputLine = z.infer<typeof inputLineSchema>

/** To the lines with an `id` or without: `line` counts those of the connection from 1. */
interface AnswersLine {
  readonly line: number
  readonly id?: string | undefined
}

export type OutputLine =
  /** Durable: need not be kept any more. */
  | (AnswersLine & { readonly type: 'ack'; readonly result: 'TAKEN' | 'REPEATED' | 'DONE' })
  /** Not taken. With `retryable` the same line may be taken later: keep it. */
  | (AnswersLine & {
      readonly type: 'error'
      readonly code: string
      readonly message: string
      readonly retryable: boolean
    })
  | (AnswersLine & { readonly type: 'status'; readonly status: unknown })
  /** To the hardware: answer it with its number. */
  | { readonly type: 'command'; readonly command: number; readonly do: 'limit'; readonly watts: number }
  | { readonly type: 'command'; readonly command: number; readonly do: 'stop'; readonly reason: string }
  /** What became of a record. `startMs` and `endMs`: its span. */
  | {
      readonly type: 'record'
      readonly contract: number
      readonly startMs: number
      readonly endMs: number
      readonly energyWh: number
      readonly result: string
      readonly position: number
      readonly amountMicro: number
    }
