import type { LaneRules } from '../../../protocol/laneRules.ts'
import { LaneState } from '../../../protocol/laneState.ts'
import { Settlement } from '../../../protocol/settlement.ts'
import type { ForcedBatch } from '../../../sequencer/sequence/revise.ts'
import { settleBatch } from '../../../sequencer/settleBatch.ts'
import type { LocalLane } from '../localLane.ts'

/** What a stranger would post on top of our batch `index` − 1, and what L1 makes of it. */
export async function strangersBatch(
  lane: LocalLane,
  rules: LaneRules,
  options: { index: number; asOf: number; count: number },
): Promise<ForcedBatch> {
  const { index, asOf, count } = options
  const state = new LaneState()
  let start = 0
  for (const batch of lane.stage.book.closed.values()) {
    if (batch.index >= index) break
    await settleBatch(state, rules, lane.journal, batch)
    start = batch.forced.start + batch.forced.entries.length
  }
  const entries = lane.view.forced.slice(start, start + count)
  const preRoots: Uint8Array[] = []
  const settlement = new Settlement(state, rules, asOf)
  for (const [i, { record }] of entries.entries()) {
    if (i % 22 === 0) preRoots.push(state.root())
    settlement.settleForced(record, 0)
  }
  return { index, asOf, l1Block: 9n, preRoots, postRoot: state.root(), start, entries, submittedAt: asOf + 1 }
}
