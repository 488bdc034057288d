import { FIRST_ENTRY_WORD, nextEntryWord } from '../../protocol/forced.ts'
import type { ForcedEntry } from '../../sequencer/forced.ts'

/** A queue as L1 would hold it: `records` (24 bytes, or a row of which the first 24 count) queued at `queuedAt`, a second apart. */
export function forcedQueue(
  records: readonly Uint8Array[],
  queuedAt: number,
  before: readonly ForcedEntry[] = [],
): ForcedEntry[] {
  const queue = [...before]
  for (const [i, row] of records.entries()) {
    const entry = { record: row.slice(0, 24), queuedAt: queuedAt + i }
    queue.push({ ...entry, word: nextEntryWord(queue.at(-1)?.word ?? FIRST_ENTRY_WORD, entry) })
  }
  return queue
}
