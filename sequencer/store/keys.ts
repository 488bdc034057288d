import { readU32, readU48, writeU32, writeU48, writeU64 } from '../../protocol/bigEndian.ts'

// One database a process. Every key begins with the table and the lane, big-endian, so that a range is a lane's table in order.
//
//   HEAD    table u8 | lane u32                              → sequence u48 | hash 32 | sha256 of both 32
//   ENTRY   table u8 | lane u32 | sequence u64               → journal entry (entry.ts)
//   REVISION table u8 | lane u32 | sequence u64              → nothing: where the entries are that revise batches
//   RECORD  table u8 | lane u32 | evse u32 | start u32       → recordIndex.ts
//   INDEX   table u8 | lane u32                              → recordIndex.ts
//   PAGE    table u8 | lane u32 | period u32 | group u32 | run u32 → recordIndex.ts
//   COMMIT  table u8 | lane u32 | batch u64                  → commitLog.ts
//   RECEIPT table u8 | lane u32 | position u64            → receiptLog.ts
//   WEBHOOK table u8 | text                                  → webhookRows.ts
//   TX      table u8 | account key …                         → the transaction manager's

export const Table = {
  META: 1,
  HEAD: 2,
  ENTRY: 3,
  REVISION: 4,
  RECORD: 5,
  COMMIT: 6,
  TX: 7,
  RECEIPT: 8,
  INDEX: 9,
  PAGE: 10,
  WEBHOOK: 11,
} as const
export type Table = (typeof Table)[keyof typeof Table]

export type Bytes = Uint8Array<ArrayBufferLike>

export function tableKey(table: Table, lane: number, tailBytes = 0): Bytes {
  const key = new Uint8Array(5 + tailBytes)
  key[0] = table
  writeU32(key, 1, lane)
  return key
}

/** `number` < 2^53. */
export function numberedKey(table: Table, lane: number, number: number): Bytes {
  const key = tableKey(table, lane, 8)
  writeU64(key, 5, number)
  return key
}

export function numberOfKey(key: Bytes): number {
  return readU32(key, 5) * 0x100000000 + readU32(key, 9)
}

export function recordKey(lane: number, evse: number, start: number): Bytes {
  const key = tableKey(Table.RECORD, lane, 8)
  writeU32(key, 5, evse)
  writeU32(key, 9, start)
  return key
}

/** Of what a run holds of the EVSEs of a group, in one period. */
export function pageKey(lane: number, { period, group }: { period: number; group: number }, run: number): Bytes {
  const key = tableKey(Table.PAGE, lane, 12)
  writeU32(key, 5, period)
  writeU32(key, 9, group)
  writeU32(key, 13, run)
  return key
}

export function writeCount(bytes: Bytes, at: number, value: number): void {
  writeU48(bytes, at, value)
}

export function readCount(bytes: Bytes, at: number): number {
  return readU48(bytes, at)
}
