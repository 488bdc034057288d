import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { openLaneReplay } from '../../bridge/laneReplay.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { type Sequencer, startSequencer } from '../../sequencer/main.ts'
import { DUPLICATE, readResult } from '../../sequencer/submission.ts'
import { startAnvil } from '../support/anvil.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { sequencerSettings } from '../support/sequencerFixture.ts'
import { parseConfig } from '../../runtime/config.ts'
import { sequencerConfigSchema } from '../../sequencer/config.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

async function submit(sequencer: Sequencer, { lane, fleet }: TestLane, rows: Uint8Array): Promise<number[]> {
  const count = rows.length / fleet.layout.rowBytes
  const answer = await sequencer.sink.submit({ lane, rows, count })
  if (answer.refusal !== undefined) throw new Error(`${answer.refusal.code}: ${answer.refusal.message}`)
  return Array.from({ length: count }, (_, i) => readResult(answer.results, i * 16).code)
}

async function postBoth(sequencer: Sequencer, lanes: readonly TestLane[]): Promise<void> {
  for (const { lane } of lanes) await sequencer.closeBatch(lane)
  await lanes[0]!.anvil.warp(120)
  for (const { lane } of lanes) await sequencer.idle(lane, AbortSignal.timeout(180_000))
}

/** By L1 alone, signatures and sums of signatures included; @throws when a root is not what settlement comes to. */
async function creditsOnL1({ client, contracts, lane }: TestLane): Promise<{ batches: bigint; positions: number }> {
  const replay = await openLaneReplay({ client, contracts, lane, blobs: { sources: [] } })
  await replay.advanceTo(replay.tipIndex)
  return { batches: replay.tipIndex, positions: replay.state.position }
}

test('one process serves lanes of both schemes; across a restart, and from L1 after a lost disk', async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const p256 = await openTestLane({ anvil, evses: 3 })
  const bls = await openTestLane({ anvil, evses: 5, layout: BLS_LAYOUT, beside: p256 })
  const lanes = [p256, bls]
  const config = parseConfig(sequencerConfigSchema, {
    ...sequencerSettings(p256, { folder: folder.path, data: 'calldata' }),
    lanes: lanes.map(({ lane }) => lane),
  })
  const settled = (count: number): number[] => Array(count).fill(Outcome.SETTLED)
  const late = new Map<TestLane, Uint8Array>()
  {
    await using sequencer = await startSequencer(config)
    const forged = bls.fleet.sign(bls.fleet.next(0), 1)
    const sent = Buffer.concat([bls.fleet.rows(70), forged])
    const [fromP256, fromBls] = await Promise.all([
      submit(sequencer, p256, p256.fleet.rows(30)),
      submit(sequencer, bls, sent),
    ])
    assert.deepEqual(fromP256, settled(30))
    assert.deepEqual(fromBls, [...settled(70), Outcome.BAD_SIGNATURE])
    assert.deepEqual(
      lanes.map(({ lane }) => sequencer.queries.lane(lane)!.scheme),
      [0, 1],
    )
    await postBoth(sequencer, lanes)
    for (const lane of lanes) {
      late.set(lane, lane.fleet.rows(5))
      assert.deepEqual(await submit(sequencer, lane, late.get(lane)!), settled(5))
    }
  }
  {
    await using sequencer = await startSequencer(config)
    for (const lane of lanes) assert.deepEqual(await submit(sequencer, lane, late.get(lane)!), Array(5).fill(DUPLICATE))
    await postBoth(sequencer, lanes)
  }
  assert.deepEqual(await creditsOnL1(p256), { batches: 2n, positions: 35 })
  assert.deepEqual(await creditsOnL1(bls), { batches: 2n, positions: 75 })

  await rm(join(folder.path, 'sequencer'), { recursive: true })
  await using sequencer = await startSequencer(config)
  const status = sequencer.queries.lane(bls.lane)!
  assert.deepEqual([status.accepted, status.closedIndex, status.postedIndex], [75, 2, 2])
  for (const lane of lanes) assert.deepEqual(await submit(sequencer, lane, lane.fleet.rows(4)), settled(4))
  await postBoth(sequencer, lanes)
  assert.deepEqual(await creditsOnL1(bls), { batches: 3n, positions: 79 })
})
