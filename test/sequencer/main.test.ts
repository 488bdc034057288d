import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { beaconSource } from '../../l1/derive/beacon.ts'
import { fetchBatchData } from '../../l1/derive/batchData.ts'
import { LaneDeriver } from '../../l1/derive/laneDeriver.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { type Sequencer, startSequencer } from '../../sequencer/main.ts'
import { DUPLICATE, readResult } from '../../sequencer/submission.ts'
import { startAnvil } from '../support/anvil.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { sequencerConfig } from '../support/sequencerFixture.ts'
import { hex } from './localLane.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

async function submit(sequencer: Sequencer, lane: number, rows: Uint8Array) {
  const answer = await sequencer.sink.submit({ lane, rows, count: rows.length / 88 })
  if (answer.refusal !== undefined) throw new Error(`${answer.refusal.code}: ${answer.refusal.message}`)
  return Array.from({ length: rows.length / 88 }, (_, i) => readResult(answer.results, i * 16))
}

/** Closes, lets L1's clock pass the batch's date, waits until L1 has it. */
async function post(sequencer: Sequencer, lane: TestLane): Promise<void> {
  await sequencer.closeBatch(lane.lane)
  await lane.anvil.warp(120)
  await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
}

async function derive(lane: TestLane) {
  const deriver = new LaneDeriver({ client: lane.client, contracts: lane.contracts, lane: lane.lane })
  await deriver.catchUp(await lane.client.getBlock())
  const sources = {
    sources: [beaconSource({ url: lane.anvil.url, blockId: 'number', secondsPerSlot: 12, timeoutMs: 30_000 })],
  }
  const settings = { client: lane.client, contracts: lane.contracts, blobs: sources }
  const batches = await Promise.all(
    deriver.history.live.map(async (batch) => ({ batch, data: await fetchBatchData(settings, batch, P256_LAYOUT) })),
  )
  return {
    batches,
    rows: Buffer.concat(
      batches.flatMap(({ data, batch }) => {
        const body = Buffer.concat(data.chunks.map((chunk) => chunk.body))
        assert.equal(data.chunks.length, batch.header.chunkCount)
        let end = body.length
        while (end > 0 && body.subarray(end - 88, end).every((byte) => byte === 0)) end -= 88
        return [body.subarray(0, end)]
      }),
    ),
  }
}

for (const data of ['calldata', 'blob'] as const) {
  test(`accepted records are on L1, byte for byte and in order, as ${data}; also across a restart and a lost disk`, async () => {
    await using anvil = await startAnvil()
    await using folder = await temporaryFolder()
    const lane = await openTestLane({ anvil, evses: 6 })
    const config = sequencerConfig(lane, { folder: folder.path, data })
    const accepted: Uint8Array[] = []
    let root = ''
    let credit = 0n
    {
      await using sequencer = await startSequencer(config)
      const rows = lane.fleet.rows(100)
      const forged = lane.fleet.sign(lane.fleet.next(0), 1)
      const results = await submit(sequencer, lane.lane, Buffer.concat([rows, forged]))
      assert.deepEqual(
        results.map((result) => result.code),
        [...Array(100).fill(Outcome.SETTLED), Outcome.BAD_SIGNATURE],
      )
      accepted.push(rows)
      await post(sequencer, lane)
      // Durable, and neither closed nor posted when the process ends.
      const more = lane.fleet.rows(30)
      await submit(sequencer, lane.lane, more)
      accepted.push(more)
      const status = sequencer.queries.lane(lane.lane)!
      assert.deepEqual([status.closedIndex, status.postedIndex, status.accepted], [1, 1, 130])
    }
    {
      await using sequencer = await startSequencer(config)
      const again = await submit(sequencer, lane.lane, accepted[1]!)
      assert.deepEqual(
        again.map((result) => [result.code, result.position]),
        Array.from({ length: 30 }, (_, i) => [DUPLICATE, 100 + i]),
      )
      await post(sequencer, lane)
      const [first, second] = await sequencer.queries.batches({ lane: lane.lane, from: 1, limit: 10 })
      assert.equal(first!.stage, 'posted')
      assert.equal(second!.firstPosition, 100)
      for (const batch of [first!, second!]) {
        assert.equal(
          await lane.client.readContract({
            address: lane.contracts.rollup,
            abi: rollupAbi,
            functionName: 'isLive',
            args: [batch.header],
          }),
          true,
        )
      }
      const start = lane.firstPeriod * 60
      const life = await sequencer.queries.record({ lane: lane.lane, evse: 0, start })
      assert.equal(life?.stage, 'posted')
      assert.equal(life.position, 0)
      assert.equal(life.signature.slice(2), hex(accepted[0]!.subarray(24, 88)))
      assert.deepEqual(life.place, { headerHash: first!.headerHash, chunk: 0, slot: 0 })
      assert.equal((await sequencer.queries.contract(lane.lane, 0))?.final, undefined)

      await anvil.warp(7 * 86_400 + 60)
      await anvil.mine(2)
      while (sequencer.queries.lane(lane.lane)!.finalIndex < 2) await new Promise((resolve) => setTimeout(resolve, 20))
      const contract = await sequencer.queries.contract(lane.lane, 0)
      assert.ok(contract!.now.creditedMicro > 0n)
      assert.equal(contract!.final?.creditedMicro, contract!.now.creditedMicro)
      assert.equal(contract!.final?.headerHash, second!.headerHash)
      credit = contract!.now.creditedMicro
      root = second!.header.postRoot
    }
    const { batches, rows } = await derive(lane)
    assert.equal(hex(rows), hex(Buffer.concat(accepted)))
    assert.equal(batches.at(-1)!.batch.header.postRoot, root)

    await rm(join(folder.path, 'sequencer'), { recursive: true })
    await using sequencer = await startSequencer(config)
    const status = sequencer.queries.lane(lane.lane)!
    assert.deepEqual([status.accepted, status.closedIndex, status.postedIndex], [130, 2, 2])
    assert.equal((await sequencer.queries.contract(lane.lane, 0))!.now.creditedMicro, credit)
    assert.equal(
      (await sequencer.queries.record({ lane: lane.lane, evse: 1, start: lane.firstPeriod * 60 }))?.position,
      1,
    )
  })
}
