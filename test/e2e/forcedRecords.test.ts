import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { errorsAbi } from '../../l1/abi/errors.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { toHex } from '../../l1/bytes.ts'
import { accountFromKey, type L1Account } from '../../l1/client.ts'
import { beaconConfigSchema, beaconSource } from '../../l1/derive/beacon.ts'
import { revertData } from '../../l1/errors.ts'
import { forceRecord } from '../../l1/forced/forceRecord.ts'
import { announceBondExit, depositBond } from '../../l1/operate/lanes.ts'
import { decodeRevert } from '../../l1/revert.ts'
import { openLaneReplay } from '../../bridge/laneReplay.ts'
import { type ForcedEntry, nextEntryWord } from '../../protocol/forced.ts'
import {
  FORCED_DUE_SECONDS,
  FORCED_OPEN_SECONDS,
  MIN_BOND_WEI,
  RECORD_BYTES,
  SLASH_WEI,
} from '../../protocol/limits.ts'
import type { DischargeRecord } from '../../protocol/record.ts'
import { type Anvil, anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import type { Lie } from '../support/evil/buildBatch.ts'
import { type DataMode, postBatch } from '../support/evil/postBatch.ts'
import { startTestProver, type TestProver } from '../support/evil/testProver.ts'
import { TrueProofs } from '../support/evil/trueProof.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'

const PROVER = 4
const FOREIGN = 5
const PAYER = 7

/** What L1 says to a post: the name of its error, or `posted`. */
async function outcome(post: Promise<unknown>): Promise<string> {
  try {
    await post
    return 'posted'
  } catch (error) {
    const data = revertData(error)
    if (data === undefined) throw error
    return decodeRevert(errorsAbi, data).errorName
  }
}

describe('forced records on L1, a lane that would not take them, and the real prover', () => {
  let anvil: Anvil
  let fixture: TestLane
  let evil: EvilLane
  let prover: TestProver
  let foreign: L1Account
  let payer: L1Account

  before(async () => {
    anvil = await startAnvil()
    fixture = await openTestLane({ anvil, pricedPeriods: 800 })
    evil = new EvilLane(fixture)
    foreign = accountFromKey(anvilPrivateKey(FOREIGN))
    payer = accountFromKey(anvilPrivateKey(PAYER))
    const { rollup } = fixture.contracts
    await depositBond({ client: fixture.client, account: foreign }, rollup, MIN_BOND_WEI)
    prover = await startTestProver(fixture, { account: PROVER })
  })
  after(async () => {
    await prover?.stop()
    await anvil?.stop()
  })

  /** Forces the charger's next record, changed as given: it may be one that does nothing. */
  async function force(evse: number, changes: Partial<DischargeRecord> = {}): Promise<void> {
    const { fleet, client, contracts, lane } = fixture
    const row = fleet.sign(fleet.next(evse, changes), evse)
    const descriptor = fleet.evseDescriptors[evse]!
    const record = row.subarray(0, RECORD_BYTES)
    await forceRecord({ client, account: payer }, contracts.forcedQueue, {
      lane,
      record,
      descriptor,
      signature: row.subarray(RECORD_BYTES),
    })
  }

  async function forceMany(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await force(i % fixture.fleet.keys.length)
    await anvil.warpTo((await anvil.now()) + 30)
    await anvil.mine(2)
  }

  async function info() {
    const { client, contracts, lane } = fixture
    return await client.readContract({ address: contracts.rollup, abi: rollupAbi, functionName: 'lane', args: [lane] })
  }

  async function bondOf(account: L1Account): Promise<bigint> {
    const { client, contracts } = fixture
    const [bond] = await client.readContract({
      address: contracts.rollup,
      abi: rollupAbi,
      functionName: 'bondOf',
      args: [account.address],
    })
    return bond
  }

  /** What L1 alone says of the newest live batch is what the evil lane says of its honest ones. */
  async function expectReplayed(): Promise<void> {
    const { client, contracts, lane } = fixture
    const beacon = beaconSource(beaconConfigSchema.parse({ url: anvil.url, blockId: 'number' }))
    const replay = await openLaneReplay({ client, contracts, lane, blobs: { sources: [beacon] } })
    await replay.advanceTo(replay.tipIndex)
    assert.equal(replay.header.postRoot, evil.honest.at(-1)!.posted.header.postRoot)
  }

  async function expectCaught(lie: Lie, entries: readonly ForcedEntry[], mode: DataMode): Promise<void> {
    const before = await info()
    const bond = await bondOf(fixture.operator)
    const bodies = [fixture.fleet.rows(22)]
    const posted = await evil.postLie({ bodies, lie, entries }, mode, [[fixture.fleet.rows(2)]])
    assert.equal((await info()).forcedEnd, before.forcedEnd + BigInt(entries.length), 'L1 took the lie')
    await prover.idle()
    const after = await info()
    assert.equal(after.tip, before.tip, `${lie.name}: it fell`)
    assert.equal(after.forcedEnd, before.forcedEnd, 'and the pointer went back')
    assert.equal(bond - (await bondOf(fixture.operator)), SLASH_WEI)
    const { client, contracts } = fixture
    const proofs = await client.getContractEvents({
      address: contracts.rollup,
      abi: rollupAbi,
      eventName: 'FraudProven',
      fromBlock: 0n,
      strict: true,
    })
    const proof = proofs.at(-1)!
    assert.equal(proof.args.index, posted.header.index)
    assert.equal(proof.args.chunk, lie.chunk)
    const receipt = await client.getTransactionReceipt({ hash: proof.transactionHash })
    console.log(`  ${mode}: ${lie.name}: ${receipt.gasUsed} gas`)
    await evil.bondAgain()
  }

  for (const mode of ['blob', 'calldata'] as const) {
    test(`${mode}: a forged, reordered or left out forced record is caught, and the honest batch stands`, async () => {
      await forceMany(20)
      // Invalid ones take their place in the queue, and do nothing.
      await force(0, { energyWh: 0 })
      await force(1, { contract: 4_000_000_000 })
      await force(2, { meterEndWh: 1 })
      await force(3, { start: 0xffffffff })
      await forceMany(6)
      const entries = await evil.waiting()
      assert.equal(entries.length, 30)
      const { fleet } = fixture
      const forged = fleet.sign(fleet.next(0)).subarray(0, RECORD_BYTES)
      const first = entries.slice(0, 22)
      const lies: Lie[] = [
        {
          name: 'the first entry replaced',
          chunk: 0,
          entries: first.with(0, { ...first[0]!, record: forged }) as ForcedEntry[],
        },
        { name: 'entries of one charger swapped', chunk: 0, entries: first.with(0, first[4]!).with(4, first[0]!) },
        { name: 'an entry left out', chunk: 1, entries: entries.slice(22, 29) },
        {
          name: 'one more than the queue has',
          chunk: 1,
          entries: [...entries.slice(22), { record: forged, queuedAt: 1 }],
        },
        { name: 'a position counted', chunk: 1, doctor: (state) => void state.position++ },
        {
          name: 'wrong root after the last forced chunk',
          chunk: 1,
          claim: (root) => root.with(3, root[3]! ^ 1) as Uint8Array,
        },
        {
          name: 'wrong root of an own chunk behind forced ones',
          chunk: 2,
          claim: (root) => root.with(3, root[3]! ^ 1) as Uint8Array,
        },
      ]
      for (const lie of lies) await expectCaught(lie, entries, mode)

      const positionBefore = (await evil.state(await evil.rules())).position
      const posted = await evil.postHonest([fleet.rows(22), fleet.rows(3)], mode, entries)
      await prover.idle()
      const { built } = evil.honest.at(-1)!
      assert.equal(built.settled, 26 + 25)
      assert.equal((await evil.state(await evil.rules())).position, positionBefore + 25)
      assert.equal((await info()).tip, posted.header.index)
      assert.equal((await info()).forcedEnd, posted.header.forcedEnd)
      assert.equal(posted.header.forcedChunks, 2)
      assert.deepEqual(prover.status().problems, [])
      if (mode === 'calldata') return
      // Its negative twin: no chunk of it can be proven.
      const rules = await evil.rules()
      const honest = evil.honest.pop()!
      const state = await evil.state(rules)
      const parent = await evil.parent()
      evil.honest.push(honest)
      const proofs = new TrueProofs({ fixture, posted, parent: parent.header, state, rules, domain: evil.domain })
      for (const chunk of [0, 1, 2, 3]) {
        await proofs.commit(chunk)
        assert.equal(await proofs.outcome(proofs.proveData(chunk, await proofs.proofOf(chunk))), 'NotFraud')
      }
    })
  }

  test('an entry of twelve hours cannot be left behind', async () => {
    await force(0)
    const entries = await evil.waiting()
    await evil.postHonest([fixture.fleet.rows(2)], 'calldata')
    await anvil.warpTo(entries[0]!.queuedAt + FORCED_DUE_SECONDS + 60)
    await anvil.mine(2)
    assert.equal(await outcome(evil.postHonest([fixture.fleet.rows(2)], 'calldata')), 'ForcedEntryDue')
    await evil.postHonest([fixture.fleet.rows(2)], 'calldata', entries)
    await prover.idle()
    assert.equal((await info()).forcedEnd, entries.at(-1)!.index + 1n)
  })

  test('another bonded party posts forced chunks alone, once the lane ignored an entry for a day', async () => {
    await forceMany(3)
    const entries = await evil.waiting()
    const poster = { ...evil.poster, operator: foreign }
    const alone = () => evil.postHonest([], 'calldata', entries, poster)
    assert.equal(await outcome(alone()), 'NotOperator', 'not yet')
    await anvil.warpTo(entries[0]!.queuedAt + FORCED_OPEN_SECONDS + 60)
    await anvil.mine(2)
    const more = evil.postHonest([fixture.fleet.rows(1)], 'calldata', entries, poster)
    assert.equal(await outcome(more), 'NotForcedOnly', 'with records of its own')
    assert.equal(await outcome(evil.postHonest([fixture.fleet.rows(1)], 'calldata', [], poster)), 'ForcedEntryDue')
    const unbonded = { ...evil.poster, operator: payer }
    assert.equal(await outcome(evil.postHonest([], 'calldata', entries, unbonded)), 'BondTooLow')

    const { built } = await evil.build(
      [],
      { name: 'root', chunk: 0, claim: (root) => root.with(3, 1) as Uint8Array },
      entries,
    )
    await postBatch(poster, await evil.parent(), built, { mode: 'calldata' })
    const bond = await bondOf(fixture.operator)
    await prover.idle()
    assert.equal((await info()).forcedEnd, entries[0]!.index, 'its false batch fell')
    assert.equal(await bondOf(foreign), MIN_BOND_WEI - SLASH_WEI, 'and cost its submitter')
    assert.equal(await bondOf(fixture.operator), bond, "not the lane's operator")
    await depositBond({ client: fixture.client, account: foreign }, fixture.contracts.rollup, SLASH_WEI)

    const posted = await alone()
    await prover.idle()
    assert.equal(posted.header.submitter, foreign.address)
    assert.equal((await info()).tip, posted.header.index)
    assert.equal((await info()).forcedEnd, posted.header.forcedEnd)
    assert.equal(await outcome(evil.postHonest([fixture.fleet.rows(1)], 'calldata', [], poster)), 'NotOperator')
    await evil.postHonest([fixture.fleet.rows(4)], 'calldata')
    await prover.idle()
    assert.equal(evil.honest.at(-1)!.built.settled, 4, 'the operator goes on behind it')
    assert.deepEqual(prover.status().problems, [])
  })

  test("and at once where the operator's bond is leaving", async () => {
    await forceMany(2)
    const entries = await evil.waiting()
    const poster = { ...evil.poster, operator: foreign }
    assert.equal(await outcome(evil.postHonest([], 'calldata', entries, poster)), 'NotOperator')
    const { client, contracts } = fixture
    await announceBondExit({ client, account: fixture.operator }, contracts.rollup)
    assert.equal(await outcome(evil.postHonest([fixture.fleet.rows(1)], 'calldata')), 'BondExiting')
    await evil.postHonest([], 'calldata', entries, poster)
    await prover.idle()
    assert.equal((await info()).tip, evil.honest.at(-1)!.posted.header.index)
    assert.equal(await outcome(evil.postHonest([fixture.fleet.rows(1)], 'calldata', [], poster)), 'NotForcedOnly')
  })

  test('whoever replays the lane from L1 comes to the same root, and reads the words that L1 keeps', async () => {
    const { header } = evil.honest.at(-1)!.posted
    let word: `0x${string}` = `0x${'00'.repeat(32)}`
    for (const { built } of evil.honest) for (const entry of built.entries) word = nextEntryWord(word, entry)
    assert.equal(header.forcedEndHash, word)
    assert.equal(header.postRoot, toHex((await evil.state(await evil.rules())).root()))
    await expectReplayed()
  })
})
