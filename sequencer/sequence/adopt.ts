import { ROOT_BYTES } from '../../protocol/laneState.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { type ClosedBatch, rootAt } from '../closedBatch.ts'
import type { ForcedEntry } from '../forced.ts'
import { EntryKind, type JournalEntry } from '../store/entry.ts'
import type { LaneJournal } from '../store/journal.ts'
import type { RecordIndex } from '../store/recordIndex.ts'
import type { LaneBook } from './laneBook.ts'

export interface AdoptedBatch {
  readonly asOf: number
  readonly l1Block: bigint
  /** What L1 holds as the root after it, 31 bytes. */
  readonly postRoot: Uint8Array
  /** What it says the root before each chunk is; the first one's counts for nothing. */
  readonly preRoots: readonly Uint8Array[]
  /** Entries of the forced queue that it takes. */
  readonly forced: readonly ForcedEntry[]
  readonly rows: Uint8Array
  /** Of each chunk, where the rows have no signatures of their own: 192 bytes in L1's order. */
  readonly aggregates: Uint8Array | undefined
  readonly rowCount: number
  /** Bit per row: the signature verifies. */
  readonly verdicts: Uint8Array
  readonly submittedAt: number
}

/**
 * Takes a batch that L1 has and the journal has not into both book and journal. False when one of its roots is: then nothing is taken.
 * Only for a lane that has not begun to accept.
 */
export async function adoptBatch(
  { book, journal, index }: { book: LaneBook; journal: LaneJournal; index: RecordIndex },
  adopted: AdoptedBatch,
): Promise<boolean> {
  const { asOf, rows, rowCount, aggregates, verdicts, submittedAt } = adopted
  const opened = journal.length + 1
  const recorded = opened + (aggregates === undefined ? 1 : 2)
  const undo = [book.mark(), index.mark()]
  const nowMs = submittedAt * 1000
  const opening = { asOf, openedAt: submittedAt, openedAtMs: nowMs, firstSequence: opened, isWritten: true }
  const open = book.begin({ ...opening, forced: adopted.forced })
  for (let row = 0; row < rowCount; row++) {
    const at = row * book.rules.layout.rowBytes
    const valid = ((verdicts[row >>> 3]! >>> (row & 7)) & 1) === 1
    const outcome = open.settlement.settle(rows, at, valid)
    if (outcome === Outcome.SETTLED) {
      const { amountMicro } = open.settlement
      index.add(rows, at, { position: book.state.position - 1, amountMicro, sequence: recorded, row })
    } else if (outcome !== Outcome.EMPTY) book.noOps.set(book.state.position - 1, outcome)
    book.countRow()
  }
  const batch = book.close(recorded + 1, nowMs)
  if (!equal(batch.postRoot, adopted.postRoot) || !statesOurRoots(adopted.preRoots, batch)) {
    for (const takeBack of undo) takeBack()
    for (const position of book.noOps.keys()) if (position >= batch.firstPosition) book.noOps.delete(position)
    return false
  }
  const entries: JournalEntry[] = [
    { kind: EntryKind.OPENED, batch: batch.index, asOf, l1Block: adopted.l1Block, forced: batch.forced },
    ...(aggregates === undefined ? [] : [{ kind: EntryKind.SUMMED, batch: batch.index, aggregates }]),
    {
      kind: EntryKind.RECORDS,
      batch: batch.index,
      firstRow: 0,
      writtenAtMs: nowMs,
      count: rowCount,
      verdicts,
      rows,
    },
    { kind: EntryKind.CLOSED, batch: batch.index, postRoot: batch.postRoot, rowCount, closedAtMs: nowMs },
  ]
  await journal.append(entries, index.operations(rowCount))
  index.written()
  book.state.keep()
  return true
}

/** Chunk 0 begins where its parent ends, whatever it says (docs/protocol.md §7). */
export function statesOurRoots(preRoots: readonly Uint8Array[], batch: ClosedBatch): boolean {
  const ours = batch.preRoots
  return (
    preRoots.length * ROOT_BYTES === ours.length && preRoots.every((root, k) => k === 0 || equal(root, rootAt(ours, k)))
  )
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
