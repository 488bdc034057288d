import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeFunctionData } from 'viem'
import { rollupAbi } from '../../../l1/abi/rollup.ts'
import { sendCall } from '../../../l1/contractCall.ts'
import { announceBondExit } from '../../../l1/operate/lanes.ts'
import { type Sequencer, startSequencer } from '../../../sequencer/main.ts'
import { startAnvil } from '../../support/anvil.ts'
import { openTestLane, type TestLane } from '../../support/laneFixture.ts'
import { sequencerConfig } from '../../support/sequencerFixture.ts'
import { untilWithin } from '../../support/until.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'

async function accept(sequencer: Sequencer, lane: TestLane, count: number): Promise<void> {
  const rows = lane.fleet.rows(count)
  const { refusal } = await sequencer.sink.submit({ lane: lane.lane, rows, count })
  assert.equal(refusal, undefined)
}

const until = untilWithin(180)

async function isLive(lane: TestLane, header: unknown): Promise<boolean> {
  const call = {
    address: lane.contracts.rollup,
    abi: rollupAbi,
    functionName: 'isLive',
    args: [header as never],
  } as const
  return (await lane.client.readContract(call)) as boolean
}

async function postedAndReorganised(lane: TestLane, sequencer: Sequencer, depth: number) {
  await accept(sequencer, lane, 30)
  await sequencer.closeBatch(lane.lane)
  await lane.anvil.warp(120)
  await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
  const [before] = await sequencer.queries.batches({ lane: lane.lane, from: 1, limit: 1 })
  await lane.anvil.reorg(depth)
  return before!
}

function waryConfig(lane: TestLane, folder: string) {
  const config = sequencerConfig(lane, { folder })
  return { ...config, transactions: { ...config.transactions, finality: { kind: 'depth', blocks: 8 } as const } }
}

test('a batch that a reorganisation drops is posted again, under the same header', async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil })
  await anvil.mine(10)
  await using sequencer = await startSequencer(waryConfig(lane, folder.path))
  const before = await postedAndReorganised(lane, sequencer, 1)
  await until('it to be mined again', async () => {
    await anvil.mine(1)
    const [now] = await sequencer.queries.batches({ lane: lane.lane, from: 1, limit: 1 })
    return now?.stage === 'posted' && now.transaction?.mined?.blockHash !== before.transaction?.mined?.blockHash
  })
  const [after] = await sequencer.queries.batches({ lane: lane.lane, from: 1, limit: 1 })
  assert.equal(after!.headerHash, before.headerHash)
  assert.equal(await isLive(lane, after!.header), true)
})

test("a batch mined again before its date, on a chain whose clock was set back, reverts and is posted when it's time", async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil })
  await anvil.mine(10)
  await using sequencer = await startSequencer(waryConfig(lane, folder.path))
  const before = await postedAndReorganised(lane, sequencer, 2)
  const { hash } = before.transaction!
  await until('it to revert', async () => {
    const receipt = await lane.client.getTransactionReceipt({ hash }).catch(() => undefined)
    return receipt?.status === 'reverted' && sequencer.queries.lane(lane.lane)!.postedIndex === 0
  })
  await anvil.warp(120)
  await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
  const [after] = await sequencer.queries.batches({ lane: lane.lane, from: 1, limit: 1 })
  assert.equal(await isLive(lane, after!.header), true)
  assert.deepEqual(sequencer.queries.problems(), [])
})

test('batches that L1 would refuse as too old are dated anew and posted', async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil })
  await using sequencer = await startSequencer(
    sequencerConfig(lane, { folder: folder.path, batch: { maxAgeSeconds: 3600 } }),
  )
  await accept(sequencer, lane, 30)
  const { asOf } = sequencer.queries.lane(lane.lane)!.openBatch
  await sequencer.closeBatch(lane.lane)
  // L1 stood still for four hours, as far as this sequencer could see.
  await anvil.warp(4 * 3600)
  await anvil.mine(3)
  await until('another date', () => sequencer.queries.lane(lane.lane)!.openBatch.asOf > asOf + 3 * 3600)
  await anvil.warp(120)
  await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
  const [batch] = await sequencer.queries.batches({ lane: lane.lane, from: 1, limit: 1 })
  assert.ok(batch!.header.asOf > asOf + 3 * 3600)
  assert.ok(await isLive(lane, batch!.header))
  const life = await sequencer.queries.record({ lane: lane.lane, evse: 0, start: lane.firstPeriod * 60 })
  assert.equal(life!.position, 0)
  assert.ok(life!.amountMicro > 0)
})

test('an operator without bond is told so, and goes on when it has one, also when the wall clock is set back', async (t) => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil })
  const operator = { client: lane.client, account: lane.operator }
  await announceBondExit(operator, lane.contracts.rollup)
  await using sequencer = await startSequencer(sequencerConfig(lane, { folder: folder.path }))
  await accept(sequencer, lane, 5)
  await sequencer.closeBatch(lane.lane)
  await anvil.warp(120)
  await until('the problem', () => sequencer.queries.problems().some((problem) => problem.code === 'POSTING_FAILS'))
  assert.match(sequencer.queries.problems()[0]!.message, /BondExiting/)
  const now = Date.now
  t.mock.method(Date, 'now', () => now() - 3_600_000)
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'cancelBondExit' })
  await sendCall(operator, { to: lane.contracts.rollup, data, label: 'cancel the exit of the bond' })
  await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
  assert.deepEqual(sequencer.queries.problems(), [])
})

test('a journal that L1 contradicts takes nothing in and says so', async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  await using other = await temporaryFolder()
  const lane = await openTestLane({ anvil })
  {
    await using sequencer = await startSequencer(sequencerConfig(lane, { folder: folder.path }))
    await accept(sequencer, lane, 5)
  }
  {
    await using sequencer = await startSequencer(sequencerConfig(lane, { folder: other.path }))
    await accept(sequencer, lane, 7)
    await sequencer.closeBatch(lane.lane)
    await anvil.warp(120)
    await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
  }
  await using sequencer = await startSequencer(sequencerConfig(lane, { folder: folder.path }))
  const rows = lane.fleet.rows(1)
  const { refusal } = await sequencer.sink.submit({ lane: lane.lane, rows, count: 1 })
  assert.equal(refusal?.code, 'NOT_ACCEPTING')
  assert.match(refusal.message, /L1 holds a batch 1 that is not this sequencer's/)
})
