import { Outcome } from '../../protocol/outcome.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import type { WriteOperation } from '../store/database.ts'
import { EntryKind, type JournalEntry } from '../store/entry.ts'
import type { LaneJournal } from '../store/journal.ts'
import { recordIndexPut } from '../store/recordIndex.ts'
import type { LaneBook } from './laneBook.ts'

export interface AdoptedBatch {
  readonly asOf: number
  readonly l1Block: bigint
  /** What L1 holds as the root after it, 31 bytes. */
  readonly postRoot: Uint8Array
  readonly rows: Uint8Array
  readonly rowCount: number
  /** Bit per row: the signature verifies. */
  readonly verdicts: Uint8Array
  readonly submittedAt: number
}

/** Takes a batch that L1 has and the journal has not into both book and journal. Only for a lane that has not begun to accept. */
export async function adoptBatch(book: LaneBook, journal: LaneJournal, adopted: AdoptedBatch): Promise<ClosedBatch> {
  const { asOf, rows, rowCount, verdicts, submittedAt } = adopted
  const opened = journal.length + 1
  const nowMs = submittedAt * 1000
  const open = book.begin({ asOf, openedAt: submittedAt, openedAtMs: nowMs, firstSequence: opened })
  const operations: WriteOperation[] = []
  for (let row = 0; row < rowCount; row++) {
    const at = row * SIGNED_RECORD_BYTES
    const valid = ((verdicts[row >>> 3]! >>> (row & 7)) & 1) === 1
    const outcome = open.settlement.settle(rows, at, valid)
    if (outcome === Outcome.SETTLED) {
      const { amountMicro } = open.settlement
      const place = { position: book.state.position - 1, amountMicro, batch: open.index, sequence: opened + 1, row }
      operations.push(recordIndexPut(book.lane, rows, at, place))
    } else if (outcome !== Outcome.EMPTY) book.noOps.set(book.state.position - 1, outcome)
    book.countRow()
  }
  const batch = book.close(opened + 2, nowMs)
  if (Buffer.compare(batch.postRoot, adopted.postRoot) !== 0) {
    throw new BackfeedError('LANE_DISAGREES', `batch ${batch.index} on L1 settles to another root than it claims`, {
      exitCode: ExitCode.refusedByL1,
      details: { lane: book.lane, batch: batch.index },
    })
  }
  const entries: JournalEntry[] = [
    { kind: EntryKind.OPENED, batch: batch.index, asOf, l1Block: adopted.l1Block },
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
  await journal.append(entries, operations)
  return batch
}
