import type { LaneRules } from '../../protocol/laneRules.ts'
import { INTERVAL_SECONDS } from '../../protocol/limits.ts'
import { isEmptyRecord, recordEvse, recordStart } from '../../protocol/record.ts'
import { Scheme } from '../../protocol/scheme.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { readBatchRows } from '../settleBatch.ts'
import type { LaneJournal } from '../store/journal.ts'
import type { BatchRows } from './chunks.ts'

export interface BuiltLane {
  readonly journal: LaneJournal
  /** By which check 1 tells whose signatures are part of an aggregate. */
  readonly rules: LaneRules
}

/** All that the chunks of a closed batch are made of. */
export async function batchRowsOf({ journal, rules }: BuiltLane, batch: ClosedBatch): Promise<BatchRows> {
  const { preRoots, layout, forcedChunks } = batch
  const { rows, aggregates } = await readBatchRows(journal, batch)
  const summed = layout.scheme === Scheme.BLS ? summedRows(rules, batch, rows) : new Uint8Array()
  return { layout, rows, preRoots, forcedChunks, summed, aggregates }
}

/** A byte a row: 1 where the record passes check 1 by the batch's date (docs/protocol.md §5, §7). */
function summedRows({ evses }: LaneRules, { asOf, layout }: ClosedBatch, rows: Uint8Array): Uint8Array {
  const summed = new Uint8Array(rows.length / layout.rowBytes)
  for (let row = 0; row < summed.length; row++) {
    const at = row * layout.rowBytes
    if (isEmptyRecord(rows, at)) continue
    const start = recordStart(rows, at)
    const end = start + rows[at + 12]!
    const passes = evses.isActive(recordEvse(rows, at), asOf, start * INTERVAL_SECONDS, end * INTERVAL_SECONDS)
    summed[row] = passes ? 1 : 0
  }
  return summed
}
