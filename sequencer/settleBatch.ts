import { Settlement } from '../protocol/settlement.ts'
import type { LaneRules } from '../protocol/laneRules.ts'
import type { LaneState } from '../protocol/laneState.ts'
import { SIGNED_RECORD_BYTES } from '../protocol/record.ts'
import type { ClosedBatch } from './closedBatch.ts'
import { dataCorrupted } from './store/corrupted.ts'
import { EntryKind, type RecordsEntry, verdictOf } from './store/entry.ts'
import type { LaneJournal } from './store/journal.ts'

/** The rows of a closed batch as the journal holds them, `rowCount` × 88 bytes. */
export async function readBatchRows(journal: LaneJournal, batch: ClosedBatch): Promise<Uint8Array> {
  const rows = new Uint8Array(batch.rowCount * SIGNED_RECORD_BYTES)
  let count = 0
  for await (const { entry } of journal.readRange(batch.firstSequence, batch.lastSequence)) {
    if (entry.kind !== EntryKind.RECORDS) continue
    if (entry.firstRow !== count || count + entry.count > batch.rowCount) throw rowsDiffer(batch)
    rows.set(entry.rows, count * SIGNED_RECORD_BYTES)
    count += entry.count
  }
  if (count !== batch.rowCount) throw rowsDiffer(batch)
  return rows
}

/** Brings a state that stands before `batch` to its end, in one go so that nobody sees it half-way, and checks that it got there. */
export async function settleBatch(
  state: LaneState,
  rules: LaneRules,
  journal: LaneJournal,
  batch: ClosedBatch,
): Promise<void> {
  const entries: RecordsEntry[] = []
  for await (const { entry } of journal.readRange(batch.firstSequence, batch.lastSequence)) {
    if (entry.kind === EntryKind.RECORDS) entries.push(entry)
  }
  const settlement = new Settlement(state, rules, batch.asOf)
  for (const { record } of batch.forced.entries) settlement.settleForced(record, 0)
  for (const { rows, count, verdicts } of entries) {
    for (let row = 0; row < count; row++) {
      settlement.settle(rows, row * SIGNED_RECORD_BYTES, verdictOf(verdicts, row))
    }
  }
  if (Buffer.compare(state.root(), batch.postRoot) !== 0) {
    throw dataCorrupted(`batch ${batch.index} of lane ${batch.lane} settles to another root than when it was closed`)
  }
}

function rowsDiffer(batch: ClosedBatch): Error {
  return dataCorrupted(`batch ${batch.index} of lane ${batch.lane} has other rows in the journal`)
}
