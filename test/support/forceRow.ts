import { forceRecord } from '../../l1/forced/forceRecord.ts'
import { recordEvse } from '../../protocol/record.ts'
import type { TestLane } from './laneFixture.ts'

/** Has L1 queue a signed record, for the lane owner's money. */
export async function forceRow(lane: TestLane, row: Uint8Array): Promise<{ index: bigint; queuedAt: number }> {
  const { client, owner, contracts, fleet } = lane
  const descriptor = fleet.evseDescriptors[recordEvse(row, 0)]!
  const what = { lane: lane.lane, record: row.subarray(0, 24), descriptor, signature: row.subarray(24) }
  return await forceRecord({ client, account: owner }, contracts.forcedQueue, what)
}
