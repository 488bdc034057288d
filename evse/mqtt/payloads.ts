import { z } from 'zod'
import { DUPLICATE } from '../../protocol/wire.ts'
import { outcomeNames } from '../../protocol/outcome.ts'
import { MAX_ERROR_ROWS, MAX_RECEIPT_ANSWERS, MAX_TEXT_CHARS } from './limits.ts'
import { UPLINKS } from './topics.ts'

// What travels on each topic (docs/mqtt.md). The JSON Schemas in schemas/ are made of these (test/vectors/generate-mqtt-schemas.ts).

const unixMs = z.number().int().min(0).max(8.64e15)
const text = z.string().max(MAX_TEXT_CHARS)
const hex = (bytes: number) => z.string().regex(new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`))
const u48 = z.number().int().min(0).max(0xffffffffffff)

/** telemetry, QoS 0, 5 to 10 times a second. */
export const telemetrySchema = z.strictObject({
  /** When it was measured, of the device's clock, milliseconds since the Unix epoch. */
  atMs: unixMs,
  /** Goes up by one with each message and begins anew at boot: gaps are counted as lost. */
  seq: z.number().int().min(0).max(0xffffffff).optional(),
  /** Fed into the grid, watts; negative while the car charges. */
  powerW: z.number().min(-10_000_000).max(10_000_000).optional(),
  /** Hottest point of cable, inverter and battery, °C. */
  tempC: z.number().min(-100).max(300).optional(),
  gridVoltageV: z.number().min(0).max(100_000).optional(),
  gridFrequencyHz: z.number().min(0).max(1_000).optional(),
  /** Signal-to-noise of the power line link to the car, dB. */
  plcSnrDb: z.number().min(-100).max(200).optional(),
  contactorClosed: z.boolean().optional(),
})
export type TelemetryPayload = z.infer<typeof telemetrySchema>

/** records as JSON. Usual are bare bytes: 1 to 1 024 rows of 88, record 24 ‖ signature 64. */
export const recordsSchema = z.strictObject({ rows: z.array(hex(88)).min(1).max(1_024) })

/** As protocol/receiptJson.ts. */
const receiptSchema = z.strictObject({
  chainId: z.number().int().min(0),
  rollup: z.string().regex(/^0x[0-9a-fA-F]{40}$/),
  lane: z.number().int().min(0).max(0xffffffff),
  firstPosition: u48,
  count: z.number().int().min(1),
  time: z.number().int().min(0).max(0xffffffff),
  root: hex(32),
  signature: hex(65),
  position: u48,
  row: hex(88),
  path: z.array(hex(32)).max(32),
})

/** receipts, QoS 1: what became of records. */
export const receiptsSchema = z.strictObject({
  answers: z
    .array(
      z.strictObject({
        /** The row as it was sent. */
        row: hex(88),
        /** Outcome of docs/protocol.md §5; DUPLICATE: accepted before. */
        result: z.enum([...outcomeNames, 'DUPLICATE']),
        /** Place in the lane's order; 0 unless accepted. */
        position: u48,
        /** 10^-6 of the settlement token. */
        amountMicro: z.number().int().min(0),
        /** With SETTLED and DUPLICATE: the operator's signed word. */
        receipt: receiptSchema.optional(),
      }),
    )
    .min(1)
    .max(MAX_RECEIPT_ANSWERS),
})
export type ReceiptsPayload = z.infer<typeof receiptsSchema>
export type AnswerPayload = ReceiptsPayload['answers'][number]

const commandId = z.string().regex(/^[A-Za-z0-9-]{1,64}$/)

/** commands, QoS 1. */
export const commandSchema = z.discriminatedUnion('command', [
  z.strictObject({
    command: z.literal('setLimit'),
    id: commandId,
    /** Not to be obeyed after that, milliseconds since the Unix epoch. */
    deadlineMs: unixMs,
    /** Discharge at most so much; 0 pauses and leaves the transaction open. */
    watts: z.number().min(0).max(10_000_000),
  }),
  z.strictObject({
    command: z.literal('stop'),
    id: commandId,
    deadlineMs: unixMs,
    /** A code of docs/gateway.md. */
    reason: text,
  }),
])
export type Command = z.infer<typeof commandSchema>

/** commands/answers, QoS 1. */
export const commandAnswerSchema = z.strictObject({
  id: commandId,
  answer: z.enum(['ACCEPTED', 'REJECTED']),
  /** Why it was rejected, for people. */
  reason: text.optional(),
})
export type CommandAnswerPayload = z.infer<typeof commandAnswerSchema>

/** status, QoS 1, retained; `offline` is the last will. */
export const statusSchema = z.strictObject({
  state: z.enum(['online', 'offline']),
  /** Of the agent, for people. */
  software: z.string().max(64).optional(),
  /** Its clock is off or unknown, so that it signs nothing. */
  clockUntrusted: z.boolean().optional(),
  /** Signed records without a receipt. */
  waitingRows: z.number().int().min(0).optional(),
})
export type StatusPayload = z.infer<typeof statusSchema>

/** position, QoS 1. */
export const positionSchema = z.strictObject({
  /** Degrees (WGS 84). */
  lat: z.number().min(-90).max(90),
  lon: z.number().min(-180).max(180),
  /** When it was taken, of the device's clock, milliseconds since the Unix epoch. */
  atMs: unixMs,
})
export type PositionPayload = z.infer<typeof positionSchema>

export const MESSAGE_FAULTS = [
  /** The gateway knows nobody of that name. */
  'UNKNOWN_EVSE',
  /** The EVSE is in another lane. */
  'UNKNOWN_LANE',
  'PAYLOAD_TOO_LARGE',
  /** Not JSON, a field missing, unknown or out of range; no whole number of rows. */
  'BAD_PAYLOAD',
  /** A row of another EVSE's slot: an EVSE speaks for itself only. */
  'WRONG_EVSE',
  /** Not signed by the key that the EVSE is registered with. Rows that were are taken. */
  'BAD_SIGNATURE',
  /** The gateway cannot keep records now; it takes the message as soon as it can. */
  'GATEWAY_BUSY',
] as const
export type MessageFault = (typeof MESSAGE_FAULTS)[number]

/** errors, QoS 1: what was wrong with a message of the EVSE. */
export const errorSchema = z.strictObject({
  code: z.enum(MESSAGE_FAULTS),
  message: text,
  channel: z.enum(UPLINKS),
  /** SHA-256 of the payload. */
  of: hex(32),
  /** Records (24 bytes) that it is about, when not the whole message; the first few. */
  records: z.array(hex(24)).max(MAX_ERROR_ROWS).optional(),
  /** Whether the same message may be taken later. */
  retryable: z.boolean(),
})
export type ErrorPayload = z.infer<typeof errorSchema>

export const schemas = {
  telemetry: telemetrySchema,
  records: recordsSchema,
  receipts: receiptsSchema,
  commands: commandSchema,
  'commands-answers': commandAnswerSchema,
  status: statusSchema,
  position: positionSchema,
  errors: errorSchema,
} as const

/** The code that `RecordResult` has for a result's name. */
export function resultCode(result: AnswerPayload['result']): number {
  return result === 'DUPLICATE' ? DUPLICATE : outcomeNames.indexOf(result)
}

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly why: string }

/** Bounded first, then read, then checked: what is refused says where. */
export function parsePayload<T>(schema: z.ZodType<T>, payload: Uint8Array, maxBytes: number): Parsed<T> {
  if (payload.length > maxBytes) return { ok: false, why: `${payload.length} bytes where ${maxBytes} are allowed` }
  let body: unknown
  try {
    body = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
  } catch {
    return { ok: false, why: 'it is not JSON' }
  }
  const checked = schema.safeParse(body)
  if (checked.success) return { ok: true, value: checked.data }
  const issue = checked.error.issues[0]!
  const where = issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')}: `
  return { ok: false, why: `${where}${issue.message}`.slice(0, MAX_TEXT_CHARS) }
}

export function encodePayload(value: object): Buffer {
  return Buffer.from(JSON.stringify(value))
}
