import { readU32, readU48, readU64, writeU48, writeU64 } from '../../protocol/bigEndian.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import type { Database, WriteOperation } from './database.ts'
import { type Bytes, recordKey } from './keys.ts'

// Accepted records by (EVSE, start), which names one: spans of an EVSE never overlap.
//   position u48 | amountMicro u48 | batch u64 | the record's other 16 bytes: contract u32 and bytes 12…23

export interface AcceptedRecord {
  readonly position: number
  /** What it was credited when it was accepted. */
  readonly amountMicro: number
  readonly batch: number
  /** 24 bytes. */
  readonly record: Bytes
}

const VALUE_BYTES = 36

export function recordIndexPut(
  lane: number,
  rows: Bytes,
  at: number,
  place: { position: number; amountMicro: number; batch: number },
): WriteOperation {
  const value = new Uint8Array(VALUE_BYTES)
  writeU48(value, 0, place.position)
  writeU48(value, 6, place.amountMicro)
  writeU64(value, 12, place.batch)
  for (let i = 0; i < 4; i++) value[20 + i] = rows[at + 4 + i]!
  for (let i = 0; i < 12; i++) value[24 + i] = rows[at + 12 + i]!
  return { type: 'put', key: recordKey(lane, readU32(rows, at), readU32(rows, at + 8)), value }
}

export async function findAccepted(
  database: Database,
  lane: number,
  names: readonly { evse: number; start: number }[],
): Promise<(AcceptedRecord | undefined)[]> {
  const keys = names.map(({ evse, start }) => recordKey(lane, evse, start))
  const values = await database.getMany(keys)
  return values.map((value, i) => {
    if (value === undefined || value.length !== VALUE_BYTES) return undefined
    const record = new Uint8Array(RECORD_BYTES)
    record.set(keys[i]!.subarray(5, 9), 0)
    record.set(value.subarray(20, 24), 4)
    record.set(keys[i]!.subarray(9, 13), 8)
    record.set(value.subarray(24, 36), 12)
    return { position: readU48(value, 0), amountMicro: readU48(value, 6), batch: readU64(value, 12), record }
  })
}
