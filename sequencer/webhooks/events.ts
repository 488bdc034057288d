import { z } from 'zod'
import type { DerivedBatch } from '../../l1/derive/laneHistory.ts'
import { WINDOW_SECONDS } from '../../protocol/limits.ts'
import type { ClosedBatch } from '../closedBatch.ts'

const count = z.number().int().min(0)
const hash = z.string().regex(/^0x[0-9a-f]{64}$/)
const time = z.iso.datetime()

/** `data` of `batch.posted.v1` and `batch.final.v1`. */
export const batchDataSchema = z.strictObject({
  deployment: z.strictObject({ chainId: count, rollup: z.string() }),
  lane: count,
  /** Index in the lane, from 1. */
  batch: count,
  headerHash: hash,
  txHash: hash,
  block: count,
  blockHash: hash,
  /** Time of its block, and when its window ends. */
  postedAt: time,
  finalAt: time,
  /** Accepted by the sequencer; at positions from `firstPosition` on. */
  records: count,
  firstPosition: count,
  /** Taken from the forced queue. */
  forcedRecords: count,
  /** Of both, the ones that settled, and what they come to. */
  settledRecords: count,
  energyWh: count,
  creditedMicro: z.string().regex(/^\d+$/),
})
export type BatchData = z.infer<typeof batchDataSchema>

/** `data` of `batch.reverted.v1`: what was told as posted, and why it is not on L1 any more. */
export const revertedDataSchema = batchDataSchema.extend({ reason: z.enum(['PROVEN_FALSE', 'REORGANISED']) })
export type RevertedData = z.infer<typeof revertedDataSchema>

/** `before`: of the batch before it; undefined for the first. */
export function batchData(
  deployment: BatchData['deployment'],
  { closed, before, posted }: { closed: ClosedBatch; before: ClosedBatch | undefined; posted: DerivedBatch },
): BatchData {
  const { totals } = closed
  const { place, submittedAt, headerHash } = posted
  return {
    deployment,
    lane: closed.lane,
    batch: closed.index,
    headerHash,
    txHash: place.txHash,
    block: Number(place.blockNumber),
    blockHash: place.blockHash,
    postedAt: iso(submittedAt),
    finalAt: iso(submittedAt + WINDOW_SECONDS),
    records: closed.rowCount,
    firstPosition: closed.firstPosition,
    forcedRecords: closed.forced.entries.length,
    settledRecords: totals.count - (before?.totals.count ?? 0),
    energyWh: totals.energyWh - (before?.totals.energyWh ?? 0),
    creditedMicro: (totals.spentMicro - (before?.totals.spentMicro ?? 0n)).toString(),
  }
}

function iso(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}
