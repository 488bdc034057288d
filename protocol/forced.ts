import { concatHex, type Hex, keccak256, zeroHash } from 'viem'
import { readU32, writeU32 } from './bigEndian.ts'
import type { BatchHeader } from './batchHeader.ts'
import type { RecordRun } from './chunk.ts'
import { RECORD_BYTES } from './limits.ts'

// The forced queue of a lane, docs/protocol.md §10 and §15.6. Entries count from 0; entry word n is the one after n entries.

/** record 24 | queuedAt u32: how entries lie in a fraud proof, and wherever a forced chunk's records are settled. */
export const FORCED_ENTRY_BYTES = RECORD_BYTES + 4
/** Entry word 0. */
export const FIRST_ENTRY_WORD: Hex = zeroHash

export interface ForcedEntry {
  /** 24 bytes. */
  readonly record: Uint8Array
  /** Seconds. */
  readonly queuedAt: number
}

/** What a header says of the queue. */
export type ForcedRange = Pick<
  BatchHeader,
  'forcedStart' | 'forcedStartHash' | 'forcedEnd' | 'forcedEndHash' | 'forcedChunks'
>

/** contracts/src/protocol/EntryWord.sol is its twin. */
export function nextEntryWord(word: Hex, entry: ForcedEntry): Hex {
  const hash = keccak256(concatHex([word, toHex(entry.record)]))
  return `${hash.slice(0, 2 + 2 * 28)}${entry.queuedAt.toString(16).padStart(8, '0')}` as Hex
}

/** Seconds; 0 for the word of no entry. */
export function entryQueuedAt(word: Hex): number {
  return Number.parseInt(word.slice(2 + 2 * 28), 16)
}

/** @param chunkRecords 22 (P-256) or 64 (BLS) */
export function forcedChunksFor(entries: number, chunkRecords: number): number {
  return Math.ceil(entries / chunkRecords)
}

/** A header's forced fields for a batch that takes the entries `start` to `end` − 1. `wordAt`: the queue's entry words. */
export function forcedRange(
  range: { start: bigint; end: bigint; chunkRecords: number },
  wordAt: (count: bigint) => Hex,
): ForcedRange {
  const { start, end, chunkRecords } = range
  return {
    forcedStart: start,
    forcedStartHash: wordAt(start),
    forcedEnd: end,
    forcedEndHash: wordAt(end),
    forcedChunks: forcedChunksFor(Number(end - start), chunkRecords),
  }
}

/** The entries that forced chunk `chunk` of a batch holds: from … to, counted in the queue. */
export function forcedChunkSpan(
  header: Pick<BatchHeader, 'forcedStart' | 'forcedEnd'>,
  chunk: number,
  chunkRecords: number,
): { from: bigint; to: bigint } {
  const from = header.forcedStart + BigInt(chunk * chunkRecords)
  const end = from + BigInt(chunkRecords)
  return { from, to: end < header.forcedEnd ? end : header.forcedEnd }
}

/** What the forced chunks of a batch settle, of all the entries it takes. */
export function forcedRuns(entries: readonly ForcedEntry[], chunkRecords: number): RecordRun[] {
  const bytes = packEntries(entries)
  return Array.from({ length: forcedChunksFor(entries.length, chunkRecords) }, (_, chunk) => {
    const first = chunk * chunkRecords
    const count = Math.min(chunkRecords, entries.length - first)
    return { bytes, at: first * FORCED_ENTRY_BYTES, stride: FORCED_ENTRY_BYTES, count }
  })
}

/** The entries of one run, as a fraud proof of its chunk brings them. */
export function entriesOfRun({ bytes, at, stride, count }: RecordRun): Uint8Array {
  return bytes.subarray(at, at + count * stride)
}

/** Entries one after another, 28 bytes each. */
export function packEntries(entries: readonly ForcedEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * FORCED_ENTRY_BYTES)
  for (const [i, { record, queuedAt }] of entries.entries()) {
    bytes.set(record, i * FORCED_ENTRY_BYTES)
    writeU32(bytes, i * FORCED_ENTRY_BYTES + RECORD_BYTES, queuedAt)
  }
  return bytes
}

/** @throws RangeError when the bytes are no whole entries. */
export function unpackEntries(bytes: Uint8Array): ForcedEntry[] {
  if (bytes.length % FORCED_ENTRY_BYTES !== 0) throw new RangeError(`${bytes.length} bytes are no whole entries`)
  return Array.from({ length: bytes.length / FORCED_ENTRY_BYTES }, (_, i) => {
    const at = i * FORCED_ENTRY_BYTES
    return { record: bytes.slice(at, at + RECORD_BYTES), queuedAt: readU32(bytes, at + RECORD_BYTES) }
  })
}

function toHex(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`
}
