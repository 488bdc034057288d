import { readU64, writeU64 } from '../../protocol/bigEndian.ts'
import { FORCED_BATCH_ENTRIES, RECORD_BYTES } from '../../protocol/limits.ts'
import { fromHex, toHex } from '../../l1/bytes.ts'
import { entryQueuedAt } from '../../protocol/forced.ts'
import type { ForcedEntry } from '../forced.ts'
import type { Bytes } from './keys.ts'

/** Entries of the forced queue that follow each other, as the journal keeps them (layout: entry.ts). */
export interface ForcedRun {
  /** Entries of the queue before the first of these. */
  readonly start: number
  readonly entries: readonly ForcedEntry[]
}

const WORD_BYTES = 32
const ENTRY_BYTES = RECORD_BYTES + WORD_BYTES
const HEAD_BYTES = 9

export function forcedBytes({ entries }: ForcedRun): number {
  return HEAD_BYTES + entries.length * ENTRY_BYTES
}

export function writeForced({ start, entries }: ForcedRun, into: Bytes, at: number): void {
  if (entries.length > FORCED_BATCH_ENTRIES)
    throw new RangeError(`a batch takes ${FORCED_BATCH_ENTRIES} entries at most`)
  writeU64(into, at, start)
  into[at + 8] = entries.length
  for (const [i, { record, word }] of entries.entries()) {
    into.set(record, at + HEAD_BYTES + i * ENTRY_BYTES)
    into.set(fromHex(word), at + HEAD_BYTES + i * ENTRY_BYTES + RECORD_BYTES)
  }
}

/** Undefined unless a run takes exactly the rest of `body`. */
export function readForced(body: Bytes, at: number): ForcedRun | undefined {
  if (body.length < at + HEAD_BYTES) return undefined
  const count = body[at + 8]!
  if (count > FORCED_BATCH_ENTRIES || body.length !== at + HEAD_BYTES + count * ENTRY_BYTES) return undefined
  const entries = Array.from({ length: count }, (_, i) => {
    const from = at + HEAD_BYTES + i * ENTRY_BYTES
    const word = toHex(body.subarray(from + RECORD_BYTES, from + ENTRY_BYTES))
    return { record: body.slice(from, from + RECORD_BYTES), queuedAt: entryQueuedAt(word), word }
  })
  return { start: readU64(body, at), entries }
}
