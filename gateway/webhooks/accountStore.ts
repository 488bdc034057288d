import { createHash } from 'node:crypto'
import type { TransactionEnd } from '../../evse/metering/meterState.ts'
import type { AnsweredRow } from '../../evse/outbox/outbox.ts'
import { WAITING_PREFIX, waitingKey } from '../../evse/outbox/rows.ts'
import { keyU32, keyU53 } from '../../evse/store/keys.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { recordStart } from '../../protocol/record.ts'
import type { ResultCode } from '../../protocol/wire.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import { decodeJson } from '../../runtime/webhooks/webhookStore.ts'

// Accounts of transactions, until they are told. `account`: a hash of EVSE and transaction.
//
//   hook/since                            which transactions were under way when the first webhook was configured: theirs are not whole
//   hook/m/lane/evse/start/id             a record without its answer, and of which transaction it is
//   hook/s/account/a                      the transaction, once it has ended
//   hook/s/account/r/start/id             a record of it, with its answer once that is here
//   hook/s/account/w/number.part          energy of it that was put aside

export const SINCE_KEY = 'hook/since'
export const ACCOUNTS = 'hook/s/'
export const MARKS = 'hook/m/'

export interface Since {
  /** Accounts. */
  readonly partial: readonly string[]
}

/** A record that an answer is awaited for. */
export interface Mark {
  readonly evse: string
  /** Undefined: the EVSE signs by itself, and nobody told. */
  readonly transaction: string | undefined
  readonly lane: number
  /** Hex. */
  readonly record: string
}

/** A transaction that ended. */
export interface EndedTransaction {
  readonly evse: string
  readonly lane: number
  readonly slot: number
  readonly station: string | null
  readonly stationEvse: number | null
  readonly transaction: string
  readonly contract: number | null
  readonly startMs: number
  readonly endMs: number
  readonly end: TransactionEnd
  /** Its records have been counted from the first. */
  readonly complete: boolean
  readonly isClosedTold: boolean
}

/** What came of a record. UNKNOWN: its answer was dropped from the outbox before it was noted here. */
export interface NotedAnswer {
  readonly code: ResultCode | 'UNKNOWN'
  readonly position: number
  readonly amountMicro: number
  readonly receipt: { readonly firstPosition: number; readonly count: number; readonly time: number } | undefined
}

export interface AccountRecord {
  readonly lane: number
  /** Hex. */
  readonly record: string
  readonly answer?: NotedAnswer
}

export interface AccountWithheld {
  readonly code: string
  readonly start: number
  readonly end: number
  readonly energyWh: number
}

export function accountOf(evse: string, transaction: string): string {
  return createHash('sha256')
    .update(JSON.stringify([evse, transaction]))
    .digest('hex')
    .slice(0, 32)
}

export const accountPrefix = (account: string): string => `${ACCOUNTS}${account}/`
export const endedKey = (account: string): string => `${accountPrefix(account)}a`
export const recordPrefix = (account: string): string => `${accountPrefix(account)}r/`
export const withheldPrefix = (account: string): string => `${accountPrefix(account)}w/`

export function recordKey(account: string, record: Uint8Array): string {
  return `${recordPrefix(account)}${keyU32(recordStart(record, 0))}/${waitingKey(0, record).slice(-16)}`
}

export function withheldPieceKey(account: string, { number, part }: { number: number; part: number }): string {
  return `${withheldPrefix(account)}${keyU53(number)}.${keyU53(part)}`
}

/** Of a row or its record alone. */
export function markKey(lane: number, row: Uint8Array): string {
  return MARKS + waitingKey(lane, row).slice(WAITING_PREFIX.length)
}

export function recordHex(row: Uint8Array): string {
  return Buffer.from(row.subarray(0, RECORD_BYTES)).toString('hex')
}

export function notedAnswer({ answer }: Pick<AnsweredRow, 'answer'>): NotedAnswer {
  const { code, position, amountMicro, receipt } = answer
  const promised = receipt && { firstPosition: receipt.firstPosition, count: receipt.count, time: receipt.time }
  return { code, position, amountMicro, receipt: promised }
}

/** @throws BackfeedError DATA_CORRUPTED: of another version */
export function readStored<T>(key: string, value: Uint8Array): T {
  const decoded = decodeJson<T>(value)
  if (decoded === undefined) throw dataCorrupted(`${key} was written by another version`)
  return decoded
}
