import assert from 'node:assert/strict'
import type { LaneRules } from '../../../protocol/laneRules.ts'
import { LaneState } from '../../../protocol/laneState.ts'
import { Settlement } from '../../../protocol/settlement.ts'
import type { ClosedBatch } from '../../../sequencer/closedBatch.ts'
import { readBatchRows, settleBatch } from '../../../sequencer/settleBatch.ts'
import type { Fleet } from '../../support/fleet.ts'
import { hex, type LocalLane, openLocalLane } from '../localLane.ts'
import { rootsOf } from '../support/roots.ts'

/** Records that settle, one for each of `evses`. */
export function records(fleet: Fleet, evses: readonly number[]): Uint8Array[] {
  return evses.map((evse) => fleet.sign(fleet.next(evse)))
}

/** Every batch again by the rules alone: forced chunks, then rows; its roots are the stated ones. */
export async function assertSettles(lane: LocalLane, rules: LaneRules): Promise<void> {
  const state = new LaneState()
  let consumed = 0
  for (const batch of lane.stage.book.closed.values()) {
    const roots: string[] = []
    const settlement = new Settlement(state, rules, batch.asOf)
    assert.equal(batch.forced.start, consumed)
    for (const [i, { record }] of batch.forced.entries.entries()) {
      if (i % 22 === 0) roots.push(hex(state.root()))
      settlement.settleForced(record, 0)
    }
    consumed += batch.forced.entries.length
    const { rows } = await readBatchRows(lane.journal, batch)
    for (let row = 0; row < batch.rowCount; row++) {
      if (row % 22 === 0) roots.push(hex(state.root()))
      settlement.settle(rows, row * 88, true)
    }
    if (roots.length === 0) roots.push(hex(state.root()))
    assert.deepEqual(rootsOf(batch).map(hex), roots, `batch ${batch.index}`)
    assert.equal(rootsOf(batch).length, batch.chunkCount)
    assert.equal(batch.forcedChunks, Math.ceil(batch.forced.entries.length / 22))
    assert.equal(hex(state.root()), hex(batch.postRoot))
  }
  const again = new LaneState()
  for (const batch of lane.stage.book.closed.values()) await settleBatch(again, rules, lane.journal, batch)
}

/** What must be the same after a restart. */
export function picture({ stage }: LocalLane): unknown {
  const { book } = stage
  const told = (batch: ClosedBatch) => {
    const { index, asOf, postRoot, rowCount, firstPosition, forced } = batch
    const words = forced.entries.map(({ word }) => word)
    return {
      index,
      asOf,
      roots: [...rootsOf(batch), postRoot].map(hex),
      rowCount,
      firstPosition,
      start: forced.start,
      words,
    }
  }
  return {
    root: hex(book.state.root()),
    closed: [...book.closed.values()].map(told),
    open: book.open && { index: book.open.index, asOf: book.open.asOf, rows: book.open.rowCount },
    fates: book.forced.map(({ batch, outcome, amountMicro }) => [batch, outcome, amountMicro]),
    noOps: [...book.noOps],
  }
}

export async function assertSameAgain(folder: string, rules: LaneRules, before: unknown): Promise<void> {
  await using lane = await openLocalLane(folder, rules)
  assert.deepEqual(picture(lane), before)
}
