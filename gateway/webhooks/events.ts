import { z } from 'zod'
import { INTERVAL_SECONDS } from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { decodeRecord } from '../../protocol/record.ts'
import { DUPLICATE, resultName } from '../../protocol/wire.ts'
import { eventId, type WebhookEvent } from '../../runtime/webhooks/event.ts'
import type { AccountRecord, AccountWithheld, EndedTransaction, NotedAnswer } from './accountStore.ts'
import { MAX_LISTED_RECORDS, MAX_LISTED_WITHHELD } from './limits.ts'

const count = z.number().int().min(0)
const micro = z.string().regex(/^\d+$/)
const time = z.iso.datetime()

const recordShape = {
  /** The record's span, and its energy by the meter. */
  start: time,
  end: time,
  energyWh: count,
}

const answeredSchema = z.strictObject({
  ...recordShape,
  outcome: z.string(),
  creditedMicro: micro,
  /** Where it is in the lane's order; null: it was refused. */
  position: count.nullable(),
  /** The micro-batch whose receipt promises that place. */
  receipt: z.strictObject({ firstPosition: count, records: count, signedAt: time }).nullable(),
})

const placeShape = {
  deployment: z.strictObject({ chainId: count, rollup: z.string() }),
  evse: z.string(),
  lane: count,
  slot: count,
}

const sessionShape = {
  ...placeShape,
  station: z.string().nullable(),
  stationEvse: count.nullable(),
  transaction: z.string(),
  contract: count.nullable(),
  startedAt: time,
  endedAt: time,
  end: z.enum(['ENDED', 'ABANDONED']),
  complete: z.boolean(),
  meteredWh: count,
  settledWh: count,
  refusedWh: count,
  withheldWh: count,
  creditedMicro: micro,
}

/** `data` of `session.closed.v1`. */
export const sessionClosedSchema = z.strictObject({ ...sessionShape, waitingWh: count, waitingRecords: count })

/** `data` of `session.settled.v1`. */
export const sessionSettledSchema = z.strictObject({
  ...sessionShape,
  records: z.array(answeredSchema),
  recordsOmitted: count,
  withheld: z.array(z.strictObject({ ...recordShape, code: z.string() })),
  withheldOmitted: count,
})

/** `data` of `records.settled.v1`. */
export const recordsSettledSchema = z.strictObject({
  ...placeShape,
  settledWh: count,
  creditedMicro: micro,
  records: z.array(answeredSchema),
})

/** `data` of `record.refused.v1`. */
export const recordRefusedSchema = z.strictObject({
  ...placeShape,
  transaction: z.string().nullable(),
  contract: count,
  ...recordShape,
  meterEndWh: count,
  outcome: z.string(),
})

export type Deployment = z.infer<typeof placeShape.deployment>

/** A record whose answer is here. */
export type AnsweredPiece = AccountRecord & { readonly answer: NotedAnswer }

/** What is known of a session that ended. */
export interface SessionSums {
  readonly answered: readonly AnsweredPiece[]
  readonly withheld: readonly AccountWithheld[]
  /** Of records without an answer, and of energy that is neither signed nor put aside. */
  readonly waitingWh: number
  readonly waitingRecords: number
}

export function sessionClosed(deployment: Deployment, ended: EndedTransaction, sums: SessionSums): WebhookEvent {
  const { waitingWh, waitingRecords } = sums
  const data: z.infer<typeof sessionClosedSchema> = {
    ...sessionData(deployment, ended, sums),
    waitingWh,
    waitingRecords,
  }
  return sessionEvent('session.closed.v1', ended, data)
}

/** Each record of a session is in one such event, and in no second one. */
export function sessionSettled(deployment: Deployment, ended: EndedTransaction, sums: SessionSums): WebhookEvent {
  const { answered, withheld } = sums
  const data: z.infer<typeof sessionSettledSchema> = {
    ...sessionData(deployment, ended, sums),
    records: answered.slice(0, MAX_LISTED_RECORDS).map(answeredData),
    recordsOmitted: Math.max(0, answered.length - MAX_LISTED_RECORDS),
    withheld: withheld.slice(0, MAX_LISTED_WITHHELD).map(({ code, energyWh, ...span }) => ({
      ...spanData(span),
      energyWh,
      code,
    })),
    withheldOmitted: Math.max(0, withheld.length - MAX_LISTED_WITHHELD),
  }
  return sessionEvent('session.settled.v1', ended, data)
}

/** Of an EVSE that signs by itself: `answered` came together, and all were accepted. */
export function recordsSettled(deployment: Deployment, evse: string, answered: readonly AnsweredPiece[]): WebhookEvent {
  const records = answered.map(answeredData)
  const [first] = answered
  const { lane } = first!
  const data: z.infer<typeof recordsSettledSchema> = {
    deployment,
    evse,
    lane,
    slot: recordOf(first!).evse,
    settledWh: sumOf(records, ({ energyWh }) => energyWh),
    creditedMicro: microOf(answered),
    records,
  }
  const type = 'records.settled.v1'
  const id = eventId(type, deployment.chainId, deployment.rollup, lane, ...answered.map(({ record }) => record))
  return { id, type, subject: evse, atMs: Date.now(), data }
}

export function recordRefused(
  deployment: Deployment,
  { evse, transaction }: { evse: string; transaction: string | undefined },
  piece: AnsweredPiece,
): WebhookEvent {
  const { energyWh, contract, meterEndWh, evse: slot } = recordOf(piece)
  const { lane, record, answer } = piece
  const outcome = codeName(answer)
  const data: z.infer<typeof recordRefusedSchema> = {
    deployment,
    evse,
    lane,
    slot,
    transaction: transaction ?? null,
    contract,
    ...recordSpan(piece),
    energyWh,
    meterEndWh,
    outcome,
  }
  const type = 'record.refused.v1'
  const id = eventId(type, deployment.chainId, deployment.rollup, lane, record, outcome)
  return { id, type, subject: evse, atMs: Date.now(), data }
}

export function isAccepted({ code }: NotedAnswer): boolean {
  return code === Outcome.SETTLED || code === DUPLICATE
}

/** Nobody knows what became of it: counted as neither. */
function isRefused(answer: NotedAnswer): boolean {
  return !isAccepted(answer) && answer.code !== 'UNKNOWN'
}

export function energyOf(piece: AccountRecord): number {
  return recordOf(piece).energyWh
}

function sessionData(deployment: Deployment, ended: EndedTransaction, sums: SessionSums) {
  const { startMs, endMs, end, isClosedTold: _, ...session } = ended
  const { answered, withheld, waitingWh } = sums
  const answeredWh = sumOf(answered, energyOf)
  const withheldWh = sumOf(withheld, ({ energyWh }) => energyWh)
  const accepted = answered.filter(({ answer }) => isAccepted(answer))
  return {
    deployment,
    ...session,
    startedAt: iso(startMs),
    endedAt: iso(endMs),
    end: end === 'ABANDONED' ? ('ABANDONED' as const) : ('ENDED' as const),
    meteredWh: answeredWh + withheldWh + waitingWh,
    settledWh: sumOf(accepted, energyOf),
    refusedWh: sumOf(
      answered.filter(({ answer }) => isRefused(answer)),
      energyOf,
    ),
    withheldWh,
    creditedMicro: microOf(accepted),
  }
}

/** By what it tells: a session that goes on after it was told is told again with its further records, which is another event. */
function sessionEvent(type: string, ended: EndedTransaction, data: object): WebhookEvent {
  const { evse, lane, slot, transaction, startMs } = ended
  const id = eventId(type, lane, slot, evse, transaction, startMs, JSON.stringify(data))
  return { id, type, subject: evse, atMs: Date.now(), data }
}

function answeredData(piece: AnsweredPiece): z.infer<typeof answeredSchema> {
  const { answer } = piece
  const { position, amountMicro, receipt } = answer
  const isIn = isAccepted(answer)
  return {
    ...recordSpan(piece),
    energyWh: energyOf(piece),
    outcome: codeName(answer),
    creditedMicro: String(isIn ? amountMicro : 0),
    position: isIn ? position : null,
    receipt:
      receipt === undefined
        ? null
        : { firstPosition: receipt.firstPosition, records: receipt.count, signedAt: iso(receipt.time * 1_000) },
  }
}

function codeName({ code }: NotedAnswer): string {
  return code === 'UNKNOWN' ? code : resultName(code)
}

function microOf(pieces: readonly AnsweredPiece[]): string {
  return pieces.reduce((sum, { answer }) => sum + BigInt(answer.amountMicro), 0n).toString()
}

function recordOf({ record }: AccountRecord): ReturnType<typeof decodeRecord> {
  return decodeRecord(Buffer.from(record, 'hex'))
}

function recordSpan(piece: AccountRecord): { start: string; end: string } {
  const { start, intervals } = recordOf(piece)
  return spanData({ start, end: start + intervals })
}

/** Intervals. */
function spanData({ start, end }: { start: number; end: number }): { start: string; end: string } {
  return { start: iso(start * INTERVAL_SECONDS * 1_000), end: iso(end * INTERVAL_SECONDS * 1_000) }
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0)
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
