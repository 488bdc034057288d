import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { erc20Abi } from 'viem'
import { readCredits } from '../../bridge/credit.ts'
import { postForced } from '../../bridge/forcedPost.ts'
import { openLaneReplay } from '../../bridge/laneReplay.ts'
import { withdraw } from '../../bridge/withdraw.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { accountFromKey } from '../../l1/client.ts'
import type { Caller } from '../../l1/contractCall.ts'
import { beaconSource } from '../../l1/derive/beacon.ts'
import { depositBond } from '../../l1/operate/lanes.ts'
import { FORCED_OPEN_SECONDS, MIN_BOND_WEI, SLASH_WEI, WINDOW_SECONDS } from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { isBackfeedError } from '../../runtime/errors.ts'
import { type Sequencer, startSequencer } from '../../sequencer/main.ts'
import { readResult } from '../../sequencer/submission.ts'
import { anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { buildBatch } from '../support/evil/buildBatch.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { GENEROUS } from '../support/evil/lies.ts'
import { type Posted, postBatch } from '../support/evil/postBatch.ts'
import { startTestProver, type TestProver } from '../support/evil/testProver.ts'
import { type Acknowledged, assertKept } from '../support/feed.ts'
import { forceRow } from '../support/forceRow.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { type LaneOnL1, readLane } from '../support/laneOnL1.ts'
import { sequencerConfig } from '../support/sequencerFixture.ts'
import { untilWithin } from '../support/until.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const PROVER = 4
const STRANGER = 5

const until = untilWithin(180)

/** Takes records in and remembers what was promised. */
async function accept(
  sequencer: Sequencer,
  lane: TestLane,
  promised: Map<string, Acknowledged>,
  rows: readonly Uint8Array[],
): Promise<void> {
  const bytes = Buffer.concat(rows)
  const answer = await sequencer.sink.submit({ lane: lane.lane, rows: bytes, count: rows.length })
  if (answer.refusal !== undefined) throw new Error(`${answer.refusal.code}: ${answer.refusal.message}`)
  for (const [i, bytesOfRow] of rows.entries()) {
    const { code, position, amountMicro } = readResult(answer.results, i * 16)
    assert.equal(code, Outcome.SETTLED)
    const row = Buffer.from(bytesOfRow)
    promised.set(row.toString('hex', 0, 24), { row, position, amountMicro })
  }
}

const next = (lane: TestLane, evses: readonly number[]): Uint8Array[] =>
  evses.map((evse) => lane.fleet.sign(lane.fleet.next(evse)))

function replaySettings(lane: TestLane) {
  const { client, contracts, anvil } = lane
  const source = beaconSource({ url: anvil.url, blockId: 'number', secondsPerSlot: 12, timeoutMs: 30_000 })
  return { client, contracts, lane: lane.lane, blobs: { sources: [source] } }
}

async function idle(sequencer: Sequencer, lane: TestLane): Promise<void> {
  try {
    await sequencer.closeBatch(lane.lane)
    await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
  } catch (cause) {
    throw new Error(JSON.stringify(sequencer.queries.problems()), { cause })
  }
}

/** Moves L1's clock until it holds all, also what waits in the forced queue. */
async function postAll(sequencer: Sequencer, lane: TestLane): Promise<void> {
  let calm = 0
  await until('all to be posted', async () => {
    await sequencer.closeBatch(lane.lane)
    await lane.anvil.warp(120)
    await sleep(300)
    const { forced, openBatch, postedIndex, closedIndex } = sequencer.queries.lane(lane.lane)!
    const isAll = forced.taken === forced.queued && openBatch.records === 0 && postedIndex === closedIndex
    calm = isAll ? calm + 1 : 0
    return calm === 2 // A batch may have been opened for forced records behind the first look.
  })
}

/** L1, the sequencer and the prover say the same of the lane. */
async function assertAgree(lane: TestLane, sequencer: Sequencer, prover: TestProver): Promise<LaneOnL1> {
  const onL1 = await readLane(lane)
  const status = sequencer.queries.lane(lane.lane)!
  assert.equal(status.accepted, onL1.rows.length)
  assert.equal(status.spentMicro, onL1.state.lane().spentMicro)
  assert.equal(status.postedIndex, onL1.batches.length)
  const { queued, taken } = status.forced
  assert.deepEqual([queued, taken], [onL1.forced.length, onL1.forced.length])
  const told = await sequencer.queries.forced({ lane: lane.lane, from: 0, limit: 256 })
  assert.deepEqual(
    told.map(({ outcome, amountMicro }) => ({ outcome, amountMicro })),
    onL1.forced.map(({ outcome, amountMicro }) => ({ outcome, amountMicro })),
  )
  await prover.idle()
  const [checked] = prover.status().lanes.filter((of) => of.lane === lane.lane)
  assert.equal(Number(checked!.checkedIndex), onL1.batches.length)
  assert.deepEqual(sequencer.queries.problems(), [])
  return onL1
}

for (const data of ['calldata', 'blob'] as const) {
  test(`${data}: a record that the sequencer was not given is settled and paid once L1 was`, {
    timeout: 600_000,
  }, async () => {
    await using anvil = await startAnvil()
    await using folder = await temporaryFolder()
    const lane = await openTestLane({ anvil, evses: 4, periodsBehind: 100 })
    await anvil.rpc('evm_setIntervalMining', [1])
    const batch = { asOfAheadSeconds: 2, maxAgeSeconds: 2 }
    await using sequencer = await startSequencer(sequencerConfig(lane, { folder: folder.path, data, batch }))
    await using prover = await startTestProver(lane)
    const promised = new Map<string, Acknowledged>()
    const [withheld, again] = [next(lane, [3])[0]!, next(lane, [3])[0]!]
    await forceRow(lane, withheld)
    // Nothing else is sent: the lane opens a batch for it by itself.
    await until('it to be posted', () => sequencer.queries.lane(lane.lane)!.postedIndex >= 1)
    await accept(sequencer, lane, promised, next(lane, [0, 1, 2]))
    await forceRow(lane, again)
    await forceRow(lane, again)
    await until('both to be taken', () => sequencer.queries.lane(lane.lane)!.forced.taken === 3)
    await accept(sequencer, lane, promised, next(lane, [0, 1, 2, 3]))
    await idle(sequencer, lane)
    const onL1 = await assertAgree(lane, sequencer, prover)
    assert.deepEqual(
      onL1.forced.map(({ outcome }) => outcome),
      [Outcome.SETTLED, Outcome.SETTLED, Outcome.OVERLAP],
    )
    assertKept(promised, onL1)
    assert.ok(onL1.batches.every(({ batch: { header } }) => header.submitter === lane.operator.address))

    const told = await fetch(`${sequencer.url}/v1/lanes/${lane.lane}/forced`)
    const { entries } = (await told.json()) as { entries: { outcome: string; stage: string }[] }
    assert.deepEqual(
      entries.map(({ outcome, stage }) => [outcome, stage]),
      ['SETTLED', 'SETTLED', 'OVERLAP'].map((outcome) => [outcome, 'posted']),
    )
    const metrics = await (await fetch(`${sequencer.adminUrl}/metrics`)).text()
    assert.match(metrics, /sequence_forced_total\{.*outcome="OVERLAP".*\} 1/)

    await anvil.warp(WINDOW_SECONDS + 60)
    await anvil.mine(3)
    const replay = await openLaneReplay(replaySettings(lane))
    const { base, claims } = await readCredits(replay, { ...replaySettings(lane), slots: [3] })
    const money = {
      address: lane.contracts.token,
      abi: erc20Abi,
      functionName: 'balanceOf',
      args: [lane.owner.address],
    } as const
    const before = await lane.client.readContract(money)
    const passerBy: Caller = { client: lane.client, account: accountFromKey(anvilPrivateKey(STRANGER)) }
    await withdraw(passerBy, lane.contracts.vault, base, claims[0]!)
    const paid = (await lane.client.readContract(money)) - before
    assert.equal(paid, onL1.state.contract(3).creditedMicro)
    assert.ok(paid >= BigInt(onL1.forced[0]!.amountMicro + onL1.forced[1]!.amountMicro))
  })
}

async function bondedStranger(lane: TestLane): Promise<Caller> {
  const caller: Caller = { client: lane.client, account: accountFromKey(anvilPrivateKey(STRANGER)) }
  await depositBond(caller, lane.contracts.rollup, MIN_BOND_WEI)
  return caller
}

const isNotOpen = (reason: RegExp) => (error: unknown) =>
  isBackfeedError(error, 'FORCED_NOT_OPEN') && reason.test(error.message)

test('down for a day, a stranger posts what waits; back again it follows and posts all that it promised', {
  timeout: 600_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: 6, periodsBehind: 20 })
  const config = sequencerConfig(lane, { folder: folder.path, batch: { maxAgeSeconds: 3600 } })
  await using prover = await startTestProver(lane)
  const promised = new Map<string, Acknowledged>()
  {
    await using sequencer = await startSequencer(config)
    await accept(sequencer, lane, promised, next(lane, [0, 1, 2]))
    await sequencer.closeBatch(lane.lane)
    await anvil.warp(120)
    await idle(sequencer, lane)
    // Promised, and on no L1 when it goes down: a closed batch and an open one.
    await accept(sequencer, lane, promised, next(lane, [0, 1, 2, 3]))
    await sequencer.closeBatch(lane.lane)
    await accept(sequencer, lane, promised, next(lane, [0, 1]))
  }
  for (const row of next(lane, [4, 5, 5])) await forceRow(lane, row)
  const hot = lane.fleet.sign(lane.fleet.next(4, { tempC: 60 }))
  await forceRow(lane, hot)
  await anvil.mine(2)
  const stranger: Caller = { client: lane.client, account: accountFromKey(anvilPrivateKey(STRANGER)) }
  await assert.rejects(postForced(stranger, replaySettings(lane)), isNotOpen(/has no bond of/))
  await bondedStranger(lane)
  await assert.rejects(postForced(stranger, replaySettings(lane)), isNotOpen(/operator is bonded and has until/))
  await anvil.warp(FORCED_OPEN_SECONDS + 60)
  await anvil.mine(2)
  const posted = await postForced(stranger, replaySettings(lane))
  assert.deepEqual(posted.outcomes, [Outcome.SETTLED, Outcome.SETTLED, Outcome.SETTLED, Outcome.THERMAL_LIMIT])
  await assert.rejects(postForced(stranger, replaySettings(lane)), (error) => isBackfeedError(error, 'NOTHING_FORCED'))
  // One more, which the sequencer takes itself, first when it is back.
  await forceRow(lane, next(lane, [4])[0]!)
  await anvil.mine(3)

  await using sequencer = await startSequencer(config)
  const status = () => sequencer.queries.lane(lane.lane)!
  await until('it to follow', () => status().postedIndex === 2)
  assert.equal(status().closedIndex, 3)
  await postAll(sequencer, lane)
  await accept(sequencer, lane, promised, next(lane, [0, 1, 2, 3, 4, 5]))
  await postAll(sequencer, lane)
  const onL1 = await assertAgree(lane, sequencer, prover)
  assertKept(promised, onL1)
  assert.equal(onL1.batches[1]!.batch.header.submitter, stranger.account.address)
  assert.deepEqual(
    onL1.forced.map(({ outcome }) => outcome),
    [...posted.outcomes, Outcome.SETTLED],
  )
  const [first] = promised.values()
  const life = await sequencer.queries.record({ lane: lane.lane, evse: 0, start: first!.row.readUInt32BE(8) + 1 })
  assert.equal(life!.batchIndex, 3, 'a record is found in the batch that holds it now')
  assert.equal(life!.stage, 'posted')
  console.log({ promised: promised.size, batches: onL1.batches.length, forced: onL1.forced.length })
})

/** The operator's key in other hands posts a false batch on a lane that has none yet. */
async function postFalse(lane: TestLane): Promise<Posted> {
  const evil = new EvilLane(lane)
  const rules = await evil.rules()
  const asOf = (await lane.anvil.now()) - 1
  const parts = { asOf, bodies: [Buffer.concat(next(lane, [5]))], domain: evil.domain, lie: GENEROUS }
  const built = buildBatch(await evil.state(rules), rules, parts)
  return await postBatch(evil.poster, await evil.parent(), built, { mode: 'calldata' })
}

test('slashed below its bond, a stranger posts at once; bonded again it goes on with what it promised', {
  timeout: 600_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: 6, periodsBehind: 20 })
  const { rollup } = lane.contracts
  await using prover = await startTestProver(lane, { account: PROVER })
  for (let left = 2n * MIN_BOND_WEI; left >= MIN_BOND_WEI; left -= SLASH_WEI) {
    const { header } = await postFalse(lane)
    const call = { address: rollup, abi: rollupAbi, functionName: 'isLive', args: [header] } as const
    await until('the proof', async () => {
      await anvil.mine()
      return !(await lane.client.readContract(call))
    })
    await prover.idle()
  }
  const config = sequencerConfig(lane, { folder: folder.path, batch: { maxAgeSeconds: 3600 } })
  await using sequencer = await startSequencer(config)
  const promised = new Map<string, Acknowledged>()
  for (const row of next(lane, [4, 4])) await forceRow(lane, row)
  await anvil.mine(2)
  await until('both to be known', () => sequencer.queries.lane(lane.lane)!.forced.queued === 2)
  await accept(sequencer, lane, promised, next(lane, [0, 1, 2]))
  await sequencer.closeBatch(lane.lane)
  await anvil.warp(120)
  const isBondless = () => sequencer.queries.problems().some(({ message }) => message.includes('BondTooLow'))
  await until('the missing bond to show', isBondless)
  await accept(sequencer, lane, promised, next(lane, [0, 1]))

  const stranger = await bondedStranger(lane)
  const posted = await postForced(stranger, replaySettings(lane))
  assert.deepEqual(posted.outcomes, [Outcome.SETTLED, Outcome.SETTLED])
  await anvil.mine(3)
  await until('it to follow while it runs', () => sequencer.queries.lane(lane.lane)!.postedIndex === 1)
  assert.equal(sequencer.queries.lane(lane.lane)!.accepting, true)
  await accept(sequencer, lane, promised, next(lane, [3]))

  await anvil.setBalance(lane.operator.address, 10n ** 21n)
  await depositBond({ client: lane.client, account: lane.operator }, rollup, MIN_BOND_WEI)
  await sequencer.closeBatch(lane.lane)
  await anvil.warp(120)
  await idle(sequencer, lane)
  const onL1 = await assertAgree(lane, sequencer, prover)
  assertKept(promised, onL1)
  assert.deepEqual(
    onL1.batches.map(({ batch: { header } }) => [header.submitter === stranger.account.address, header.forcedChunks]),
    [
      [true, 1],
      [false, 0],
      [false, 0],
    ],
  )
})
