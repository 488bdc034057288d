import { createHash } from 'node:crypto'
import { readU16, readU32, readU48, readU64, writeU16, writeU32, writeU48, writeU64 } from '../../protocol/bigEndian.ts'
import { ROOT_BYTES } from '../../protocol/laneState.ts'
import { BLS_SIGNATURE_BYTES } from '../../protocol/limits.ts'
import { type ForcedRun, forcedBytes, readForced, writeForced } from './forcedRun.ts'
import type { Bytes } from './keys.ts'

// A journal entry: kind u8 | bodyLength u32 | hash of the entry before 32 | body | SHA-256 of (lane u32 | sequence u64 | all of it) 32
//
//   OPENED    batch u64 | asOf u32 | l1Block u64 | forced
//   RECORDS   batch u64 | firstRow u32 | writtenAt u48 (ms) | count u16 | ⌈count / 8⌉ verdict bits (lowest first) | count × row 88 or 216
//   CLOSED    batch u64 | postRoot 31 | rowCount u32 | closedAt u48 (ms)
//   REDATED   firstBatch u64 | lastBatch u64 | asOf u32 | l1Block u64
//   INSERTED  batch u64 | asOf u32 | l1Block u64 | postRoot 31 | closedAt u48 (ms) | forced
//   SUMMED    batch u64 | n × sum of a chunk's signatures 192 (L1's order), before the rows
//   forced    start u64 | count u8 | count × (record 24 ‖ entry word 32)
//
// Verdict bits are what signatures came to, so that a replay needs no cryptography and the lane rebuilt from L1 may hold bad ones.

export const EntryKind = { OPENED: 1, RECORDS: 2, CLOSED: 3, REDATED: 4, INSERTED: 5, SUMMED: 6 } as const

export interface OpenedEntry {
  readonly kind: typeof EntryKind.OPENED
  readonly batch: number
  readonly asOf: number
  /** The block held final up to which the rules were known. */
  readonly l1Block: bigint
  /** What the batch takes of the lane's forced queue, before its own rows. */
  readonly forced: ForcedRun
}

export interface RecordsEntry {
  readonly kind: typeof EntryKind.RECORDS
  readonly batch: number
  /** Rows of the batch before these. */
  readonly firstRow: number
  /** Unix milliseconds by the sequencer's clock: for people, nothing is decided by it. */
  readonly writtenAtMs: number
  readonly count: number
  readonly verdicts: Bytes
  readonly rows: Bytes
}

export interface ClosedEntry {
  readonly kind: typeof EntryKind.CLOSED
  readonly batch: number
  /** 31 bytes. */
  readonly postRoot: Bytes
  readonly rowCount: number
  readonly closedAtMs: number
}

/** Batches `firstBatch` … `lastBatch`, none of them posted, are settled anew as of `asOf`. */
export interface RedatedEntry {
  readonly kind: typeof EntryKind.REDATED
  readonly firstBatch: number
  readonly lastBatch: number
  readonly asOf: number
  readonly l1Block: bigint
}

/**
 * A batch of forced chunks alone takes the place `batch`, and what stood there and after it, none of it posted, moves on by one.
 * Somebody else posted it, or it was missing when older batches were dated anew.
 */
export interface InsertedEntry {
  readonly kind: typeof EntryKind.INSERTED
  readonly batch: number
  readonly asOf: number
  readonly l1Block: bigint
  readonly postRoot: Bytes
  readonly closedAtMs: number
  readonly forced: ForcedRun
}

/** The rows of the batch came back from L1, which of BLS signatures has only a sum a chunk: theirs are zeros. */
export interface SummedEntry {
  readonly kind: typeof EntryKind.SUMMED
  readonly batch: number
  readonly aggregates: Bytes
}

export type JournalEntry = OpenedEntry | RecordsEntry | ClosedEntry | RedatedEntry | InsertedEntry | SummedEntry

export const HASH_BYTES = 32
const HEADER_BYTES = 5 + HASH_BYTES
export const MAX_ENTRY_ROWS = 0xffff

export interface EntryPlace {
  readonly lane: number
  readonly sequence: number
  /** Of the lane's scheme. */
  readonly rowBytes: number
}

export function sealedBytes(entry: JournalEntry, rowBytes: number): number {
  return HEADER_BYTES + bodyBytes(entry, rowBytes) + HASH_BYTES
}

/** `value`: where to, as long as `sealedBytes` says. */
export function sealEntry(
  entry: JournalEntry,
  place: EntryPlace,
  previousHash: Bytes,
  value: Bytes = new Uint8Array(sealedBytes(entry, place.rowBytes)),
): { value: Bytes; hash: Bytes } {
  const bodyLength = value.length - HEADER_BYTES - HASH_BYTES
  value[0] = entry.kind
  writeU32(value, 1, bodyLength)
  value.set(previousHash, 5)
  writeBody(entry, value.subarray(0, HEADER_BYTES + bodyLength), HEADER_BYTES)
  const hash = hashEntry(value, place)
  value.set(hash, HEADER_BYTES + bodyLength)
  return { value, hash }
}

/** Undefined unless it is, byte for byte, what was sealed at this place behind the entry of this hash. */
export function openEntry(
  value: Bytes,
  place: EntryPlace,
  previousHash: Bytes,
): { entry: JournalEntry; hash: Bytes } | undefined {
  if (value.length < HEADER_BYTES + HASH_BYTES) return undefined
  const bodyLength = readU32(value, 1)
  if (value.length !== HEADER_BYTES + bodyLength + HASH_BYTES) return undefined
  if (Buffer.compare(value.subarray(5, HEADER_BYTES), previousHash) !== 0) return undefined
  const hash = hashEntry(value, place)
  if (Buffer.compare(value.subarray(HEADER_BYTES + bodyLength), hash) !== 0) return undefined
  const entry = readBody(value[0]!, value.subarray(HEADER_BYTES, HEADER_BYTES + bodyLength), place.rowBytes)
  return entry === undefined ? undefined : { entry, hash }
}

export function verdictOf(verdicts: Bytes, row: number): boolean {
  return ((verdicts[row >>> 3]! >>> (row & 7)) & 1) === 1
}

function hashEntry(value: Bytes, place: EntryPlace): Bytes {
  const where = new Uint8Array(12)
  writeU32(where, 0, place.lane)
  writeU64(where, 4, place.sequence)
  return createHash('sha256')
    .update(where)
    .update(value.subarray(0, value.length - HASH_BYTES))
    .digest()
}

function bodyBytes(entry: JournalEntry, rowBytes: number): number {
  switch (entry.kind) {
    case EntryKind.OPENED:
      return 20 + forcedBytes(entry.forced)
    case EntryKind.RECORDS:
      return 20 + Math.ceil(entry.count / 8) + entry.count * rowBytes
    case EntryKind.CLOSED:
      return 18 + ROOT_BYTES
    case EntryKind.REDATED:
      return 28
    case EntryKind.INSERTED:
      return 26 + ROOT_BYTES + forcedBytes(entry.forced)
    case EntryKind.SUMMED:
      return 8 + entry.aggregates.length
    default:
      return entry satisfies never
  }
}

function writeBody(entry: JournalEntry, into: Bytes, at: number): void {
  switch (entry.kind) {
    case EntryKind.OPENED:
      writeU64(into, at, entry.batch)
      writeU32(into, at + 8, entry.asOf)
      writeU64(into, at + 12, Number(entry.l1Block))
      writeForced(entry.forced, into, at + 20)
      return
    case EntryKind.RECORDS: {
      if (entry.count > MAX_ENTRY_ROWS) throw new RangeError(`a journal entry holds ${MAX_ENTRY_ROWS} rows at most`)
      const bits = Math.ceil(entry.count / 8)
      writeU64(into, at, entry.batch)
      writeU32(into, at + 8, entry.firstRow)
      writeU48(into, at + 12, entry.writtenAtMs)
      writeU16(into, at + 18, entry.count)
      into.set(entry.verdicts.subarray(0, bits), at + 20)
      into.set(entry.rows.subarray(0, into.length - at - 20 - bits), at + 20 + bits)
      return
    }
    case EntryKind.CLOSED:
      writeU64(into, at, entry.batch)
      into.set(entry.postRoot, at + 8)
      writeU32(into, at + 8 + ROOT_BYTES, entry.rowCount)
      writeU48(into, at + 12 + ROOT_BYTES, entry.closedAtMs)
      return
    case EntryKind.REDATED:
      writeU64(into, at, entry.firstBatch)
      writeU64(into, at + 8, entry.lastBatch)
      writeU32(into, at + 16, entry.asOf)
      writeU64(into, at + 20, Number(entry.l1Block))
      return
    case EntryKind.INSERTED:
      writeU64(into, at, entry.batch)
      writeU32(into, at + 8, entry.asOf)
      writeU64(into, at + 12, Number(entry.l1Block))
      into.set(entry.postRoot, at + 20)
      writeU48(into, at + 20 + ROOT_BYTES, entry.closedAtMs)
      writeForced(entry.forced, into, at + 26 + ROOT_BYTES)
      return
    case EntryKind.SUMMED:
      writeU64(into, at, entry.batch)
      into.set(entry.aggregates, at + 8)
      return
    default:
      entry satisfies never
  }
}

function readBody(kind: number, body: Bytes, rowBytes: number): JournalEntry | undefined {
  switch (kind) {
    case EntryKind.OPENED: {
      const forced = readForced(body, 20)
      if (forced === undefined) return undefined
      return { kind, batch: readU64(body, 0), asOf: readU32(body, 8), l1Block: BigInt(readU64(body, 12)), forced }
    }
    case EntryKind.RECORDS: {
      if (body.length < 20) return undefined
      const count = readU16(body, 18)
      const bits = Math.ceil(count / 8)
      if (body.length !== 20 + bits + count * rowBytes) return undefined
      return {
        kind,
        batch: readU64(body, 0),
        firstRow: readU32(body, 8),
        writtenAtMs: readU48(body, 12),
        count,
        verdicts: body.subarray(20, 20 + bits),
        rows: body.subarray(20 + bits),
      }
    }
    case EntryKind.CLOSED:
      if (body.length !== 18 + ROOT_BYTES) return undefined
      return {
        kind,
        batch: readU64(body, 0),
        postRoot: body.slice(8, 8 + ROOT_BYTES),
        rowCount: readU32(body, 8 + ROOT_BYTES),
        closedAtMs: readU48(body, 12 + ROOT_BYTES),
      }
    case EntryKind.REDATED:
      if (body.length !== 28) return undefined
      return {
        kind,
        firstBatch: readU64(body, 0),
        lastBatch: readU64(body, 8),
        asOf: readU32(body, 16),
        l1Block: BigInt(readU64(body, 20)),
      }
    case EntryKind.INSERTED: {
      const forced = readForced(body, 26 + ROOT_BYTES)
      if (forced === undefined) return undefined
      return {
        kind,
        batch: readU64(body, 0),
        asOf: readU32(body, 8),
        l1Block: BigInt(readU64(body, 12)),
        postRoot: body.slice(20, 20 + ROOT_BYTES),
        closedAtMs: readU48(body, 20 + ROOT_BYTES),
        forced,
      }
    }
    case EntryKind.SUMMED:
      if (body.length < 8 || (body.length - 8) % BLS_SIGNATURE_BYTES !== 0) return undefined
      return { kind, batch: readU64(body, 0), aggregates: body.subarray(8) }
    default:
      return undefined
  }
}
