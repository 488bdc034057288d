import { createHash } from 'node:crypto'
import { readU32, readU48, writeU32, writeU48 } from '../../protocol/bigEndian.ts'
import { RECEIPT_SIGNATURE_BYTES, type SignedMicroBatch } from '../../protocol/receipt.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import type { Database, WriteOperation } from './database.ts'
import { type Bytes, numberedKey, numberOfKey, Table, tableKey } from './keys.ts'

// Signed micro-batches by their first position. Their rows are the journal's.
//
//   count u32 | time u32 | firstSequence u48 | lastSequence u48 | root 32 | signature 65 | SHA-256 of key ‖ all before 32

const HEAD_BYTES = 20
const SIGNATURE_AT = HEAD_BYTES + 32
const HASH_AT = SIGNATURE_AT + RECEIPT_SIGNATURE_BYTES
const VALUE_BYTES = HASH_AT + 32

export interface StoredMicroBatch extends SignedMicroBatch {
  /** Journal sequences among which its rows are, and no others. */
  readonly firstSequence: number
  readonly lastSequence: number
}

export function receiptPut(stored: StoredMicroBatch): WriteOperation {
  const key = numberedKey(Table.RECEIPT, stored.lane, stored.firstPosition)
  const value = new Uint8Array(VALUE_BYTES)
  writeU32(value, 0, stored.count)
  writeU32(value, 4, stored.time)
  writeU48(value, 8, stored.firstSequence)
  writeU48(value, 14, stored.lastSequence)
  value.set(stored.root, HEAD_BYTES)
  value.set(stored.signature, SIGNATURE_AT)
  value.set(digest(key, value), HASH_AT)
  return { type: 'put', key, value }
}

/** The micro-batch that holds `position`, or the newest before it. Throws DATA_CORRUPTED for one that is not what was stored. */
export async function lastReceiptUpTo(
  database: Database,
  lane: number,
  position: number,
): Promise<StoredMicroBatch | undefined> {
  const to = numberedKey(Table.RECEIPT, lane, position + 1)
  for await (const [key, value] of database.entries(tableKey(Table.RECEIPT, lane), to, true)) {
    return decode(lane, key, value)
  }
  return undefined
}

function decode(lane: number, key: Bytes, value: Bytes): StoredMicroBatch {
  const firstPosition = numberOfKey(key)
  if (value.length !== VALUE_BYTES || Buffer.compare(digest(key, value), value.subarray(HASH_AT)) !== 0) {
    throw dataCorrupted(`the signature of lane ${lane}'s micro-batch at position ${firstPosition}`)
  }
  return {
    lane,
    firstPosition,
    count: readU32(value, 0),
    time: readU32(value, 4),
    firstSequence: readU48(value, 8),
    lastSequence: readU48(value, 14),
    root: value.slice(HEAD_BYTES, SIGNATURE_AT),
    signature: value.slice(SIGNATURE_AT, HASH_AT),
  }
}

function digest(key: Bytes, value: Bytes): Bytes {
  return createHash('sha256').update(key).update(value.subarray(0, HASH_AT)).digest()
}
