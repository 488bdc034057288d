import { zeroHash } from 'viem'
import { toHex } from '../../../l1/bytes.ts'
import type { DerivedBatch } from '../../../l1/derive/laneHistory.ts'
import { genesisHeader } from '../../../protocol/batchHeader.ts'
import { P256_LAYOUT } from '../../../protocol/scheme.ts'
import type { ClosedBatch } from '../../../sequencer/closedBatch.ts'
import { NOTHING_FORCED } from '../../../sequencer/forced.ts'

/** A batch of the lane, and the same as L1 holds it: no data is behind either. */
export function closed(index: number): ClosedBatch {
  const postRoot = new Uint8Array(31).fill(index)
  const places = { firstPosition: 0, firstSequence: 1, lastSequence: 3, closedAtMs: 0 }
  return {
    lane: 0,
    layout: P256_LAYOUT,
    index,
    asOf: 1_000 * index,
    preRoots: new Uint8Array(),
    postRoot,
    forced: NOTHING_FORCED,
    rowCount: 23,
    chunkCount: 2,
    forcedChunks: 0,
    verdicts: undefined,
    totals: { spentMicro: 0n, energyWh: 0, count: 0, position: 0 },
    ...places,
  }
}

export function posted(batch: ClosedBatch, changes: Partial<DerivedBatch['header']> = {}): DerivedBatch {
  const header = {
    ...genesisHeader(0, 0),
    index: BigInt(batch.index),
    asOf: batch.asOf,
    postRoot: toHex(batch.postRoot),
    chunkCount: 2,
    ...changes,
  }
  const place = { blockNumber: 10n, blockHash: zeroHash, txHash: zeroHash }
  return { header, headerHash: zeroHash, dataWords: [], submittedAt: 5_000, place }
}
