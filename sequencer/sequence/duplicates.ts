import { RECORD_BYTES } from '../../protocol/limits.ts'
import type { LaneJournal } from '../store/journal.ts'
import type { RecordIndex } from '../store/recordIndex.ts'
import { DUPLICATE, RESULT_BYTES, writeResult } from '../submission.ts'
import type { SequenceMetrics } from './metrics.ts'
import type { MicroBatch } from './microBatch.ts'

/** The same 24 bytes accepted before: the answer is the one it got then. */
export async function markDuplicates(
  { overlaps }: MicroBatch,
  parts: { index: RecordIndex; journal: LaneJournal; metrics?: SequenceMetrics | undefined },
): Promise<void> {
  if (overlaps.length === 0) return
  const { index, journal, metrics } = parts
  const found = await index.find(overlaps)
  for (const [i, accepted] of found.entries()) {
    const { work, row } = overlaps[i]!
    const at = row * journal.layout.rowBytes
    if (accepted === undefined || !sameRecord(work.rows, at, accepted.record)) continue
    writeResult(work.results, row * RESULT_BYTES, { ...accepted, code: DUPLICATE })
    metrics?.duplicate()
  }
}

function sameRecord(rows: Uint8Array, at: number, record: Uint8Array): boolean {
  for (let i = 0; i < RECORD_BYTES; i++) if (rows[at + i] !== record[i]) return false
  return true
}
