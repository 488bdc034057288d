import assert from 'node:assert/strict'
import { beaconSource } from '../../l1/derive/beacon.ts'
import { fetchBatchData } from '../../l1/derive/batchData.ts'
import { LaneDeriver } from '../../l1/derive/laneDeriver.ts'
import type { DerivedBatch } from '../../l1/derive/laneHistory.ts'
import { ForcedView } from '../../l1/forced/forcedView.ts'
import { openLaneView } from '../../l1/laneView/laneView.ts'
import { bodyRecords, type Chunk } from '../../protocol/chunk.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { Settlement } from '../../protocol/settlement.ts'
import type { TestLane } from './laneFixture.ts'

export interface LaneOnL1 {
  /** Non-empty rows, by position; in a BLS lane the records alone, for their signatures are summed up. */
  readonly rows: readonly Buffer[]
  /** Of one of them. */
  readonly rowBytes: number
  /** What each was worth. */
  readonly amounts: readonly number[]
  /** What became of the forced queue's entries, as far as batches took them. */
  readonly forced: readonly { readonly record: Uint8Array; readonly outcome: Outcome; readonly amountMicro: number }[]
  readonly batches: readonly { readonly batch: DerivedBatch; readonly chunks: readonly Chunk[] }[]
  /** After the newest live batch. */
  readonly state: LaneState
}

/** The lane by L1 alone: rows in order, what each was worth, and every root computed again. Every row must settle. */
export async function readLane(lane: TestLane, beaconUrl = lane.anvil.url): Promise<LaneOnL1> {
  const { client, contracts } = lane
  const head = await client.getBlock()
  const deriver = new LaneDeriver({ client, contracts, lane: lane.lane })
  await deriver.catchUp(head)
  const view = await openLaneView({ client, contracts, lane: lane.lane })
  await view.catchUp(head)
  const queue = new ForcedView({ client, contracts, lane: lane.lane })
  await queue.catchUp(head)
  const beacon = beaconSource({ url: beaconUrl, blockId: 'number', secondsPerSlot: 12, timeoutMs: 30_000 })
  const state = new LaneState()
  const rows: Buffer[] = []
  const amounts: number[] = []
  const forced: LaneOnL1['forced'][number][] = []
  const batches: LaneOnL1['batches'][number][] = []
  for (const batch of deriver.history.live) {
    const settlement = new Settlement(state, view.rules, batch.header.asOf)
    const { chunks } = await fetchBatchData(
      { client, contracts, blobs: { sources: [beacon] } },
      batch,
      view.rules.layout,
    )
    batches.push({ batch, chunks })
    for (const { record } of queue.slice(batch.header.forcedStart, batch.header.forcedEnd)) {
      const outcome = settlement.settleForced(record, 0)
      forced.push({ record, outcome, amountMicro: outcome === Outcome.SETTLED ? settlement.amountMicro : 0 })
    }
    for (const { body } of chunks.slice(batch.header.forcedChunks)) {
      const { bytes, at: first, stride, count } = bodyRecords(view.rules.layout, body)
      for (let at = first; at < first + count * stride; at += stride) {
        const outcome = settlement.settle(bytes, at, true)
        if (outcome === Outcome.EMPTY) continue
        assert.equal(outcome, Outcome.SETTLED)
        rows.push(Buffer.from(bytes.subarray(at, at + stride)))
        amounts.push(settlement.amountMicro)
      }
    }
    assert.equal(`0x${Buffer.from(state.root()).toString('hex')}`, batch.header.postRoot)
  }
  return { rows, rowBytes: view.rules.layout.recordStride, amounts, forced, batches, state }
}
