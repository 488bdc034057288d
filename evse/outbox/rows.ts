import { createHash } from 'node:crypto'
import { readU48, writeU48 } from '../../protocol/bigEndian.ts'
import { INTERVAL_SECONDS, RECORD_BYTES } from '../../protocol/limits.ts'
import { receiptsOfRange } from '../../protocol/receipt.ts'
import { decodeReceipts, encodeReceipts } from '../../protocol/receiptWire.ts'
import { recordEvse, recordStart, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { RESULT_BYTES, type ResultCode, readResult, writeResult } from '../../protocol/wire.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import { keyU32 } from '../store/keys.ts'
import type { KeptRow, OutboxRow, RowQueue, WaitingRow } from './outbox.ts'

// Rows in the store. Each is under one of two keys:
//
//   box/w/lane/evse/start/id     putAt u48 | heldSince u48 | heldCode u8 | row 88                 waiting: a queue's rows in the order of their spans
//   box/a/start/lane/evse/id     putAt u48 | answeredAt u48 | result 16 | row 88 | receipt        answered: all rows, the oldest span first
//
// with lane, evse and start as u32 in hex, and id the first 8 bytes of the record's SHA-256. Times are milliseconds since the Unix epoch, heldSince 0
// means not held. The receipt is as in an answer (receiptWire.ts), or nothing.

export const WAITING_PREFIX = 'box/w/'
export const ANSWERED_PREFIX = 'box/a/'
const WAITING_HEAD_BYTES = 13
const ANSWERED_HEAD_BYTES = 12 + RESULT_BYTES

/** @throws RangeError */
export function checkRow({ lane, row }: OutboxRow): void {
  if (row.length !== SIGNED_RECORD_BYTES)
    throw new RangeError(`a row has ${SIGNED_RECORD_BYTES} bytes, not ${row.length}`)
  keyU32(lane)
}

export function queueOf({ lane, row }: OutboxRow): RowQueue {
  return { lane, evse: recordEvse(row, 0) }
}

/** Seconds: when the record's span ended. */
export function spanEnd(row: Uint8Array): number {
  return (recordStart(row, 0) + row[12]!) * INTERVAL_SECONDS
}

export function queueName({ lane, evse }: RowQueue): string {
  return `${keyU32(lane)}/${keyU32(evse)}`
}

export function queuePrefix(queue: RowQueue): string {
  return `${WAITING_PREFIX}${queueName(queue)}/`
}

export function queueOfKey(key: string): RowQueue {
  const at = WAITING_PREFIX.length
  return { lane: Number.parseInt(key.slice(at, at + 8), 16), evse: Number.parseInt(key.slice(at + 9, at + 17), 16) }
}

/** Of a row or its record alone. */
export function waitingKey(lane: number, row: Uint8Array): string {
  const start = keyU32(recordStart(row, 0))
  return `${queuePrefix({ lane, evse: recordEvse(row, 0) })}${start}/${recordId(row)}`
}

export function answeredKey(lane: number, row: Uint8Array): string {
  const start = keyU32(recordStart(row, 0))
  return `${ANSWERED_PREFIX}${start}/${queueName({ lane, evse: recordEvse(row, 0) })}/${recordId(row)}`
}

export function encodeWaiting({ row, putAtMs, held }: Omit<WaitingRow, 'lane'>): Uint8Array {
  const value = new Uint8Array(WAITING_HEAD_BYTES + row.length)
  writeU48(value, 0, putAtMs)
  writeU48(value, 6, held?.sinceMs ?? 0)
  value[12] = held?.code ?? 0
  value.set(row, WAITING_HEAD_BYTES)
  return value
}

export function decodeWaiting(key: string, value: Uint8Array): WaitingRow {
  if (value.length !== WAITING_HEAD_BYTES + SIGNED_RECORD_BYTES) throw dataCorrupted(`the row ${key}`)
  const sinceMs = readU48(value, 6)
  return {
    lane: queueOfKey(key).lane,
    row: value.slice(WAITING_HEAD_BYTES),
    putAtMs: readU48(value, 0),
    held: sinceMs === 0 ? undefined : { sinceMs, code: value[12]! as ResultCode },
  }
}

export function encodeAnswered({ row, answer, answeredAtMs }: Omit<KeptRow, 'lane'>, putAtMs: number): Uint8Array {
  const { receipt } = answer
  const promised =
    receipt === undefined ? undefined : encodeReceipts([{ ...receipt, records: 1, siblings: receipt.path }])
  const rowAt = ANSWERED_HEAD_BYTES
  const value = new Uint8Array(rowAt + SIGNED_RECORD_BYTES + (promised?.length ?? 0))
  writeU48(value, 0, putAtMs)
  writeU48(value, 6, answeredAtMs)
  writeResult(value, 12, answer)
  value.set(row, rowAt)
  if (promised !== undefined) value.set(promised, rowAt + SIGNED_RECORD_BYTES)
  return value
}

export function decodeAnswered(key: string, value: Uint8Array): KeptRow {
  const at = ANSWERED_PREFIX.length + 9
  const lane = Number.parseInt(key.slice(at, at + 8), 16)
  const row = value.slice(ANSWERED_HEAD_BYTES, ANSWERED_HEAD_BYTES + SIGNED_RECORD_BYTES)
  const ranges = decodeReceipts(value.subarray(ANSWERED_HEAD_BYTES + SIGNED_RECORD_BYTES), lane)
  if (row.length !== SIGNED_RECORD_BYTES || ranges === undefined || ranges.length > 1)
    throw dataCorrupted(`the row ${key}`)
  const [range] = ranges
  // A duplicate's receipt is for the row that was accepted first, which this one is.
  const receipt = range === undefined ? undefined : receiptsOfRange(range, row, row.length)?.(0)
  if (range !== undefined && receipt === undefined) throw dataCorrupted(`the receipt of ${key}`)
  return { lane, row, answeredAtMs: readU48(value, 6), answer: { ...readResult(value, 12), receipt } }
}

function recordId(row: Uint8Array): string {
  return createHash('sha256').update(row.subarray(0, RECORD_BYTES)).digest('hex').slice(0, 16)
}
