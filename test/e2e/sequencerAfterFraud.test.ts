import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { fromHex } from '../../l1/bytes.ts'
import { depositBond } from '../../l1/operate/lanes.ts'
import { SLASH_WEI } from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { type Sequencer, startSequencer } from '../../sequencer/main.ts'
import { DUPLICATE, readResult } from '../../sequencer/submission.ts'
import { startAnvil } from '../support/anvil.ts'
import { buildBatch, type Lie } from '../support/evil/buildBatch.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { GENEROUS } from '../support/evil/lies.ts'
import { type Posted, postBatch } from '../support/evil/postBatch.ts'
import { startTestProver } from '../support/evil/testProver.ts'
import { type Acknowledged, assertKept, feed, type FeedTarget } from '../support/feed.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { verifierOf } from '../support/receipts.ts'
import { readLane } from '../support/laneOnL1.ts'
import { sequencerConfig } from '../support/sequencerFixture.ts'
import { untilWithin } from '../support/until.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const PROVER = 4
/** Chargers whose records the holder of the stolen key posts by himself. */
const STOLEN = [4, 5]

const until = untilWithin(180)

/** The operator's key in other hands: knows the lane as L1 tells it. */
async function thief(lane: TestLane): Promise<EvilLane> {
  const evil = new EvilLane(lane)
  for (const { batch, chunks } of (await readLane(lane)).batches) {
    const { header, headerHash, dataWords } = batch
    const built = { asOf: header.asOf, chunks, entries: [], postRoot: fromHex(header.postRoot), settled: 0 }
    evil.honest.push({ built, posted: { header, headerHash, dataWords, receipt: undefined as never } })
  }
  return evil
}

/** Posts a false batch on the lane's tip, racing with the sequencer for it, and one that is true of it on top. */
async function postFalse(lane: TestLane): Promise<Posted> {
  let trouble: unknown
  for (let attempt = 0; attempt < 20; attempt++) {
    const evil = await thief(lane)
    const rules = await evil.rules()
    const state = await evil.state(rules)
    const { fleet } = lane
    const build = async (lie?: Lie) => {
      const rows = Buffer.concat(STOLEN.map((evse) => fleet.sign(fleet.next(evse))))
      const parts = { asOf: (await lane.anvil.now()) - 1, bodies: [rows], domain: evil.domain }
      return buildBatch(state, rules, lie === undefined ? parts : { ...parts, lie })
    }
    try {
      const posted = await postBatch(evil.poster, await evil.parent(), await build(GENEROUS), { mode: 'calldata' })
      const child = await build()
      await postBatch(evil.poster, posted, child, { mode: 'calldata' }).catch(() => 'the sequencer took the nonce')
      return posted
    } catch (error) {
      trouble = error
    }
  }
  throw new Error('no false batch got in', { cause: trouble })
}

async function bondOf(lane: TestLane): Promise<bigint> {
  const { client, contracts, operator } = lane
  const call = { address: contracts.rollup, abi: rollupAbi, functionName: 'bondOf', args: [operator.address] } as const
  return (await client.readContract(call))[0]
}

/** Has the real prover take down the false batch; what it cost the operator. */
async function prove(lane: TestLane, falseBatch: Posted): Promise<bigint> {
  const bond = await bondOf(lane)
  await using prover = await startTestProver(lane, { account: PROVER })
  const call = { address: lane.contracts.rollup, abi: rollupAbi } as const
  const args = [falseBatch.header] as const
  await until('the proof', async () => !(await lane.client.readContract({ ...call, functionName: 'isLive', args })))
  await prover.idle()
  return bond - (await bondOf(lane))
}

async function submit(sequencer: Sequencer, lane: TestLane, rows: Uint8Array): Promise<ReturnType<typeof readResult>> {
  const answer = await sequencer.sink.submit({ lane: lane.lane, rows, count: rows.length / 88 })
  if (answer.refusal !== undefined) throw new Error(`${answer.refusal.code}: ${answer.refusal.message}`)
  return readResult(answer.results, 0)
}

async function idle(sequencer: Sequencer, lane: TestLane): Promise<void> {
  try {
    await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
  } catch (cause) {
    throw new Error(JSON.stringify(sequencer.queries.problems()), { cause })
  }
}

async function refused(sequencer: Sequencer, lane: TestLane, falseBatch: Posted): Promise<void> {
  const { index } = falseBatch.header
  await until('the sequencer to notice', () => sequencer.queries.lane(lane.lane)!.accepting === false)
  const status = sequencer.queries.lane(lane.lane)!
  assert.equal(status.postedIndex, Number(index) - 1, 'what is not its own does not count as posted')
  const rows = lane.fleet.sign(lane.fleet.next(STOLEN[0]!))
  const { refusal } = await sequencer.sink.submit({ lane: lane.lane, rows, count: 1 })
  assert.equal(refusal?.code, 'NOT_ACCEPTING')
  assert.equal(refusal.message, `L1 holds a batch ${index} that is not this sequencer's`)
  const health = await fetch(`${sequencer.adminUrl}/healthz`)
  assert.equal(health.status, 503)
  assert.match(await health.text(), /is not this sequencer's/)
}

/** The sequencer's books and L1's are the same. */
async function assertSameBooks(sequencer: Sequencer, lane: TestLane): Promise<Awaited<ReturnType<typeof readLane>>> {
  const onL1 = await readLane(lane)
  const status = sequencer.queries.lane(lane.lane)!
  assert.equal(status.accepted, onL1.rows.length)
  assert.equal(status.spentMicro, onL1.state.lane().spentMicro)
  for (let slot = 0; slot < lane.fleet.contracts; slot++) {
    const { now } = (await sequencer.queries.contract(lane.lane, slot))!
    assert.equal(now.creditedMicro, onL1.state.contract(slot).creditedMicro, `contract ${slot}`)
  }
  return onL1
}

test('a stolen key posts false batches on top of the sequencer: every acknowledged record still ends on L1', {
  timeout: 600_000,
}, async (t) => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: 6, periodsBehind: 100 })
  await anvil.rpc('evm_setIntervalMining', [1])
  // Between two of its batches the thief has time to make his.
  const batch = { asOfAheadSeconds: 2, maxAgeSeconds: 5 }
  const config = sequencerConfig(lane, { folder: folder.path, data: 'calldata', batch })
  const target: FeedTarget = { url: undefined }
  const acknowledged = new Map<string, Acknowledged>()
  const done = new AbortController()
  const verifier = () => verifierOf(lane)
  const common = { fleet: lane.fleet, lane: lane.lane, verifier, target, acknowledged, pauseMs: 50, done: done.signal }
  const feeding = Promise.all([feed({ ...common, evses: [0, 1] }), feed({ ...common, evses: [2, 3] })])
  feeding.catch(() => done.abort())
  let sequencer = await startSequencer(config)
  const restart = async (): Promise<void> => {
    target.url = undefined
    await sequencer.stop()
    sequencer = await startSequencer(config)
    target.url = sequencer.url
  }
  const goesOn = async (falseBatch: Posted): Promise<void> => {
    const { index } = falseBatch.header
    const before = acknowledged.size
    const posted = () => sequencer.queries.lane(lane.lane)!.postedIndex
    await until('batches of its own again', () => posted() > Number(index) && acknowledged.size > before + 10)
    assert.deepEqual(sequencer.queries.problems(), [])
  }
  try {
    target.url = sequencer.url
    const isPosted = (index: number) => () => sequencer.queries.lane(lane.lane)!.postedIndex >= index
    await until('a few batches', isPosted(2))

    await t.test('while it runs', async () => {
      const falseBatch = await postFalse(lane)
      await refused(sequencer, lane, falseBatch)
      assert.equal(await prove(lane, falseBatch), SLASH_WEI)
      await goesOn(falseBatch)
    })

    await t.test('restarted while the false batch is live', async () => {
      const falseBatch = await postFalse(lane)
      await refused(sequencer, lane, falseBatch)
      await restart()
      await refused(sequencer, lane, falseBatch)
      assert.equal(await prove(lane, falseBatch), SLASH_WEI)
      await goesOn(falseBatch)
    })

    await t.test('until its bond does not suffice, and it has a new one', async () => {
      const falseBatch = await postFalse(lane)
      await refused(sequencer, lane, falseBatch)
      assert.equal(await prove(lane, falseBatch), SLASH_WEI)
      const isBondless = () => sequencer.queries.problems().some(({ message }) => message.includes('BondTooLow'))
      await until('the missing bond to show', isBondless)
      assert.equal(sequencer.queries.lane(lane.lane)!.accepting, true, 'records are taken in meanwhile')
      await anvil.setBalance(lane.operator.address, 10n ** 21n)
      await depositBond({ client: lane.client, account: lane.operator }, lane.contracts.rollup, 2n * SLASH_WEI)
      await goesOn(falseBatch)
    })

    done.abort()
    await feeding
    await sequencer.closeBatch(lane.lane)
    await idle(sequencer, lane)
    assertKept(acknowledged, await assertSameBooks(sequencer, lane))

    await t.test('with an empty folder while a false batch is live', async () => {
      const falseBatch = await postFalse(lane)
      target.url = undefined
      await sequencer.stop()
      await rm(join(folder.path, 'sequencer'), { recursive: true })
      sequencer = await startSequencer(config)
      await refused(sequencer, lane, falseBatch)
      assert.equal(await prove(lane, falseBatch), SLASH_WEI)
      await until('it to take records in', () => sequencer.queries.lane(lane.lane)!.accepting)
      await assertSameBooks(sequencer, lane)
      const [first] = acknowledged.values()
      const { row, position, amountMicro } = first!
      assert.deepEqual(await submit(sequencer, lane, row), { code: DUPLICATE, position, amountMicro })
      await depositBond({ client: lane.client, account: lane.operator }, lane.contracts.rollup, 2n * SLASH_WEI)
      assert.equal((await submit(sequencer, lane, lane.fleet.sign(lane.fleet.next(0)))).code, Outcome.SETTLED)
      await sequencer.closeBatch(lane.lane)
      await idle(sequencer, lane)
    })

    await t.test('with an empty folder after all of it', async () => {
      await sequencer.stop()
      await rm(join(folder.path, 'sequencer'), { recursive: true })
      sequencer = await startSequencer(config)
      assert.deepEqual(sequencer.queries.problems(), [])
      assertKept(acknowledged, await assertSameBooks(sequencer, lane))
    })
    const { closedIndex } = sequencer.queries.lane(lane.lane)!
    console.log({ acknowledged: acknowledged.size, batches: closedIndex })
  } finally {
    done.abort()
    await sequencer.stop()
    await feeding.catch(() => {})
  }
  await feeding
})

for (const mode of ['calldata', 'blob'] as const) {
  test(`${mode}: its own roots and date over other data are not taken for its own batch`, async () => {
    await using anvil = await startAnvil()
    await using folder = await temporaryFolder()
    const lane = await openTestLane({ anvil, evses: 6 })
    const done = new AbortController()
    const config = sequencerConfig(lane, { folder: folder.path, data: mode, batch: { maxAgeSeconds: 3600 } })
    let sequencer = await startSequencer(config)
    try {
      const rows = lane.fleet.rows(60)
      assert.equal((await submit(sequencer, lane, rows)).code, Outcome.SETTLED)
      const { asOf } = sequencer.queries.lane(lane.lane)!.openBatch
      const evil = await thief(lane)
      const rules = await evil.rules()
      const bodies = [0, 1, 2].map((k) => rows.subarray(k * 22 * 88, (k + 1) * 22 * 88))
      const claim = (root: Uint8Array): Uint8Array => root.with(0, root[0]! ^ 1)
      const lie: Lie = { name: 'a middle root', chunk: 0, claim }
      const built = buildBatch(await evil.state(rules), rules, { asOf, bodies, domain: evil.domain, lie })
      // The sequencer waits for the batch's date; the thief's block is the first past it.
      await sequencer.closeBatch(lane.lane)
      await anvil.rpc('evm_setNextBlockTimestamp', [asOf + 5])
      const falseBatch = await postBatch(evil.poster, await evil.parent(), built, { mode })
      await refused(sequencer, lane, falseBatch)
      await sequencer.stop()
      sequencer = await startSequencer(config)
      await refused(sequencer, lane, falseBatch)
      assert.equal(await prove(lane, falseBatch), SLASH_WEI)
      // It was live for so long that what the sequencer has is too old for L1, and is dated anew.
      await anvil.warp(4 * 3600)
      await anvil.mine(3)
      const { signal } = done
      const clock = (async () => {
        for (; !signal.aborted; await sleep(1_000)) await anvil.warp(120)
      })()
      try {
        await idle(sequencer, lane)
      } finally {
        done.abort()
        await clock
      }
      const onL1 = await assertSameBooks(sequencer, lane)
      assert.equal(Buffer.concat(onL1.rows).toString('hex'), Buffer.from(rows).toString('hex'))
      assert.deepEqual(sequencer.queries.problems(), [])
    } finally {
      await sequencer.stop()
    }
  })
}
