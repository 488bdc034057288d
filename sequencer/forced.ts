import type { Hex } from 'viem'
import { FIRST_ENTRY_WORD, type ForcedEntry as ForcedRecord, nextEntryWord } from '../protocol/forced.ts'
import { FORCED_BATCH_ENTRIES } from '../protocol/limits.ts'

/** A record that L1 makes the lane take (docs/protocol.md §10, §15.6). */
export interface ForcedEntry extends ForcedRecord {
  /** Entry word after it. */
  readonly word: Hex
}

/** What a batch consumes of the queue. */
export interface ForcedSpan {
  /** Entries that the batches before it consumed. */
  readonly start: number
  /** Entry word `start`. */
  readonly startWord: Hex
  readonly entries: readonly ForcedEntry[]
}

export const NOTHING_FORCED: ForcedSpan = { start: 0, startWord: FIRST_ENTRY_WORD, entries: [] }

/** Where the span's batch leaves the queue. */
export function spanEnd({ start, startWord, entries }: ForcedSpan): { end: number; endWord: Hex } {
  return { end: start + entries.length, endWord: entries.at(-1)?.word ?? startWord }
}

/** Whether the queue goes on with `entry` after `word`. */
export function follows(word: Hex, entry: ForcedEntry): boolean {
  return nextEntryWord(word, entry) === entry.word
}

/** What a batch of this `asOf` and size takes of a queue from the entry `from` on; a chunk is left for rows. */
export function takeable(
  queue: readonly ForcedEntry[],
  { from, asOf, maxRows, chunkRecords }: { from: number; asOf: number; maxRows: number; chunkRecords: number },
): readonly ForcedEntry[] {
  const room = (Math.floor(maxRows / chunkRecords) - 1) * chunkRecords
  const found = queue.slice(from, from + Math.min(FORCED_BATCH_ENTRIES, room))
  // L1 refuses a batch whose clock is behind an entry that it takes.
  const ahead = found.findIndex((entry) => entry.queuedAt > asOf)
  return ahead < 0 ? found : found.slice(0, ahead)
}
