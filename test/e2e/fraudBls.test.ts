import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { accountFromKey } from '../../l1/client.ts'
import { forceRecord } from '../../l1/forced/forceRecord.ts'
import { l1FromZcash } from '../../protocol/bls.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { recordEvse } from '../../protocol/record.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { type Anvil, anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { aggregateLies, hostileBlsBodies, wholeBody } from '../support/evil/blsLies.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { expectCaught, gasOfLastProof } from '../support/evil/expectCaught.ts'
import { expectUnprovable } from '../support/evil/expectUnprovable.ts'
import { flip, rootLies } from '../support/evil/lies.ts'
import { postBatch } from '../support/evil/postBatch.ts'
import { PROVER_ACCOUNT, startTestProver, type TestProver } from '../support/evil/testProver.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { byNight } from '../support/nightly.ts'

const PAYER = 7
const MODES = ['blob', 'calldata'] as const

describe('an evil sequencer of a BLS lane against the real prover, which checks a P-256 lane beside it', () => {
  let anvil: Anvil
  let fixture: TestLane
  let evil: EvilLane
  let neighbour: EvilLane
  let prover: TestProver

  before(async () => {
    anvil = await startAnvil()
    fixture = await openTestLane({ anvil, layout: BLS_LAYOUT })
    neighbour = new EvilLane(await openTestLane({ anvil, beside: fixture, seed: 2 }))
    evil = new EvilLane(fixture)
    prover = await startTestProver(fixture, { account: PROVER_ACCOUNT })
  })
  after(async () => {
    await prover?.stop()
    await anvil?.stop()
  })

  for (const mode of MODES) {
    test(`${mode}: every lie is caught, slashed and rolled back; honest batches of both lanes stand`, async () => {
      const base = await evil.postHonest([fixture.fleet.body(64), fixture.fleet.body(10)], mode)
      await neighbour.postHonest([neighbour.fixture.fleet.body(22)], mode)
      await prover.idle()
      assert.equal(await evil.tip(), base.header.index)
      assert.equal(evil.honest.at(-1)!.built.settled, 74, 'the base batch pays')
      assert.equal(neighbour.honest.at(-1)!.built.settled, 22)

      const bodies = [12, 8, 12].map((records) => wholeBody(fixture.fleet.body(records)))
      const material = { rules: () => evil.rules(), fleet: fixture.fleet, bodies }
      for (const story of [...(await aggregateLies(material)), ...rootLies(bodies)]) {
        await expectCaught(evil, prover, story, mode)
      }

      const next = await evil.postHonest(bodies, mode)
      await prover.idle()
      assert.equal(await evil.tip(), next.header.index, 'the operator bonded again and goes on')
      assert.equal(evil.honest.at(-1)!.built.settled, 32)
      const status = prover.status()
      assert.deepEqual(status.problems, [])
      assert.deepEqual(
        status.lanes.map(({ lane, checkedIndex }) => [lane, checkedIndex]),
        [
          [evil.poster.lane, next.header.index],
          [neighbour.poster.lane, BigInt(neighbour.honest.length)],
        ],
      )
    })

    // What a body holds is no matter of where it was posted.
    const skip = mode === 'blob' && byNight
    test(`${mode}: no chunk of an honest batch is provable, hostile chunks with right roots included`, {
      skip,
    }, async () => {
      const hostile = hostileBlsBodies(fixture.fleet).map(({ body }) => body)
      const { built } = await evil.build([...hostile, fixture.fleet.body(5)])
      await expectUnprovable(evil, built, mode)
      await prover.idle()
      assert.equal(prover.status().lanes[0]!.checkedIndex, await evil.tip())
    })

    test(`${mode}: a hostile chunk with a wrong root is proven`, { skip }, async () => {
      const hostile = hostileBlsBodies(fixture.fleet)
      const bodies = hostile.map(({ body }) => body)
      for (const [chunk, { name }] of hostile.entries()) {
        const tip = await evil.tip()
        await evil.postLie({ bodies, lie: { name, chunk, claim: flip } }, mode)
        assert.equal(await evil.tip(), tip + 1n)
        await prover.idle()
        assert.equal(await evil.tip(), tip, name)
        await evil.bondAgain()
      }
    })
  }

  test('calldata: a last chunk cut inside the aggregate or inside a record is judged as if zero-padded', async () => {
    for (const length of [0, 1, 191, 192, 216, 192 + 24 * 3 + 11]) {
      const bodies = [fixture.fleet.body(64), fixture.fleet.body(6).subarray(0, length)]
      const padded = bodies.map(wholeBody)
      const { built } = await evil.build(padded)
      const cut = { ...built, chunks: built.chunks.map((chunk, k) => ({ ...chunk, body: bodies[k]! })) }
      await expectUnprovable(evil, cut, 'calldata')
      evil.honest[evil.honest.length - 1] = { ...evil.honest.at(-1)!, built }
    }
    const tip = await evil.tip()
    const lie = { name: 'root', chunk: 1, claim: flip }
    const { built } = await evil.build([fixture.fleet.body(64), fixture.fleet.body(3)], lie)
    await postBatch(evil.poster, await evil.parent(), built, { mode: 'calldata' })
    await prover.idle()
    assert.equal(await evil.tip(), tip)
    await evil.bondAgain()
  })
})

describe('forced records of BLS chargers', () => {
  let anvil: Anvil
  let fixture: TestLane
  let evil: EvilLane
  let prover: TestProver

  before(async () => {
    anvil = await startAnvil()
    fixture = await openTestLane({ anvil, layout: BLS_LAYOUT })
    evil = new EvilLane(fixture)
    prover = await startTestProver(fixture, { account: PROVER_ACCOUNT })
  })
  after(async () => {
    await prover?.stop()
    await anvil?.stop()
  })

  /** Forces a row, its signature in L1's order unless told otherwise. */
  async function force(row: Uint8Array, order = l1FromZcash): Promise<void> {
    const { client, contracts, lane, fleet } = fixture
    const account = accountFromKey(anvilPrivateKey(PAYER))
    await forceRecord({ client, account }, contracts.forcedQueue, {
      lane,
      record: row.subarray(0, RECORD_BYTES),
      descriptor: fleet.evseDescriptors[recordEvse(row, 0)]!,
      signature: order(row.subarray(RECORD_BYTES)),
    })
  }

  for (const mode of MODES) {
    test(`${mode}: the queue takes what is signed; lies about it are caught, and the honest batch is not provable`, async () => {
      const { fleet } = fixture
      const row = fleet.sign(fleet.next(0))
      await assert.rejects(
        force(row, (zcash) => zcash),
        'in the order of libraries it is another point',
      )
      await assert.rejects(force(fleet.sign({ ...fleet.next(1), evse: 2 }, 1)), 'signed by another charger')
      await force(row)
      await force(fleet.sign(fleet.next(1)))
      await force(fleet.sign(fleet.next(2, { contract: 4_000_000_000 })))
      await anvil.warpTo((await anvil.now()) + 30)
      await anvil.mine(2)
      const entries = await evil.waiting()
      assert.equal(entries.length, 3)

      const forged = fleet.sign(fleet.next(0)).subarray(0, RECORD_BYTES)
      const bodies = [fleet.body(5)]
      for (const lie of [
        { name: 'an entry replaced', chunk: 0, entries: entries.with(0, { ...entries[0]!, record: forged }) },
        { name: 'an own chunk behind the forced one', chunk: 1, claim: flip },
      ]) {
        const tip = await evil.tip()
        await evil.postLie({ bodies, lie, entries }, mode)
        assert.equal(await evil.tip(), tip + 1n)
        await prover.idle()
        assert.equal(await evil.tip(), tip, lie.name)
        await evil.bondAgain()
      }

      const { built } = await evil.build(bodies, undefined, entries)
      assert.equal(built.settled, 2 + 5)
      await expectUnprovable(evil, built, mode)
      await prover.idle()
      assert.equal(prover.status().lanes[0]!.checkedIndex, await evil.tip())
      assert.deepEqual(prover.status().problems, [])
    })
  }
})

test('a full BLS chunk, 64 chargers and 64 contracts, is proven within a transaction', async () => {
  await using anvil = await startAnvil()
  const fixture = await openTestLane({ anvil, layout: BLS_LAYOUT, evses: 64, contracts: 64, seed: 3 })
  const evil = new EvilLane(fixture)
  const prover = await startTestProver(fixture, { account: PROVER_ACCOUNT })
  try {
    await evil.postHonest([fixture.fleet.body(64)], 'calldata')
    for (const mode of MODES) {
      const bodies = [fixture.fleet.body(64), fixture.fleet.body(64)]
      const { built } = await evil.build(bodies)
      assert.equal(built.settled, 128)
      const tip = await evil.tip()
      await evil.postLie({ bodies, lie: { name: 'root', chunk: 0, claim: flip } }, mode)
      await prover.idle()
      assert.equal(await evil.tip(), tip)
      const { gas, bytes } = await gasOfLastProof(fixture)
      console.log(`  ${mode}: full BLS chunk, 64 + 64 leaves: ${gas} gas, ${bytes} bytes`)
      assert.ok(gas <= 16_777_216n && bytes <= 96 * 1024)
      await evil.bondAgain()
    }
    await expectUnprovable(evil, (await evil.build([fixture.fleet.body(64), fixture.fleet.body(64)])).built, 'blob')
  } finally {
    await prover.stop()
  }
})
