import { Settlement } from '../protocol/settlement.ts'
import type { LaneRules } from '../protocol/laneRules.ts'
import type { LaneState } from '../protocol/laneState.ts'
import type { ClosedBatch } from './closedBatch.ts'
import { dataCorrupted } from '../runtime/dataCorrupted.ts'
import { EntryKind, type RecordsEntry, verdictOf } from './store/entry.ts'
import type { LaneJournal } from './store/journal.ts'

export interface JournaledRows {
  /** `rowCount` × 88 or 216 bytes. */
  readonly rows: Uint8Array
  /** Of each chunk, where the rows came back from L1 without signatures of their own. */
  readonly aggregates: Uint8Array | undefined
}

/** The rows of a closed batch as the journal holds them. */
export async function readBatchRows(journal: LaneJournal, batch: ClosedBatch): Promise<JournaledRows> {
  const { rowBytes } = batch.layout
  const rows = new Uint8Array(batch.rowCount * rowBytes)
  let count = 0
  let aggregates: Uint8Array | undefined
  for await (const { entry } of journal.readRange(batch.firstSequence, batch.lastSequence)) {
    if (entry.kind === EntryKind.SUMMED) aggregates = entry.aggregates
    if (entry.kind !== EntryKind.RECORDS) continue
    if (entry.firstRow !== count || count + entry.count > batch.rowCount) throw rowsDiffer(batch)
    rows.set(entry.rows, count * rowBytes)
    count += entry.count
  }
  if (count !== batch.rowCount) throw rowsDiffer(batch)
  return { rows, aggregates }
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
      settlement.settle(rows, row * batch.layout.rowBytes, verdictOf(batch.verdicts ?? verdicts, row))
    }
  }
  if (Buffer.compare(state.root(), batch.postRoot) !== 0) {
    throw dataCorrupted(`batch ${batch.index} of lane ${batch.lane} settles to another root than when it was closed`)
  }
}

function rowsDiffer(batch: ClosedBatch): Error {
  return dataCorrupted(`batch ${batch.index} of lane ${batch.lane} has other rows in the journal`)
}
