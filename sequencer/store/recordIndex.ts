import { readU16, readU32, readU48, writeU16, writeU48 } from '../../protocol/bigEndian.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import type { Database, WriteOperation } from './database.ts'
import { type Bytes, recordKey } from './keys.ts'

// Accepted records by (EVSE, start), which names one: spans of an EVSE never overlap.
//   position u48 | amountMicro u48 | batch u48 | entry's sequence u48 | row in the entry u16 | the record's other 16 bytes

export interface AcceptedRecord {
  readonly position: number
  /** What it was credited when it was accepted. */
  readonly amountMicro: number
  readonly batch: number
  /** Journal entry that holds it, and its row there. */
  readonly sequence: number
  readonly row: number
  /** 24 bytes. */
  readonly record: Bytes
}

const VALUE_BYTES = 42

export function recordIndexPut(
  lane: number,
  rows: Bytes,
  at: number,
  place: Omit<AcceptedRecord, 'record'>,
): WriteOperation {
  const value = new Uint8Array(VALUE_BYTES)
  writeU48(value, 0, place.position)
  writeU48(value, 6, place.amountMicro)
  writeU48(value, 12, place.batch)
  writeU48(value, 18, place.sequence)
  writeU16(value, 24, place.row)
  for (let i = 0; i < 4; i++) value[26 + i] = rows[at + 4 + i]!
  for (let i = 0; i < 12; i++) value[30 + i] = rows[at + 12 + i]!
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
    record.set(value.subarray(26, 30), 4)
    record.set(keys[i]!.subarray(9, 13), 8)
    record.set(value.subarray(30, 42), 12)
    return {
      position: readU48(value, 0),
      amountMicro: readU48(value, 6),
      batch: readU48(value, 12),
      sequence: readU48(value, 18),
      row: readU16(value, 24),
      record,
    }
  })
}
