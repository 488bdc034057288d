import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { sendCall } from '../../l1/contractCall.ts'
import { ELEMENT_BYTES } from '../../protocol/chunk.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { type Anvil, startAnvil } from '../support/anvil.ts'
import type { BuiltBatch } from '../support/evil/buildBatch.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { hostileBodies } from '../support/evil/hostile.ts'
import { gasOfLastProof } from '../support/evil/expectCaught.ts'
import { expectUnprovable } from '../support/evil/expectUnprovable.ts'
import { flip } from '../support/evil/lies.ts'
import { blobsOf, type Posted, postBatch } from '../support/evil/postBatch.ts'
import { PROVER_ACCOUNT, startTestProver, type TestProver } from '../support/evil/testProver.ts'
import { TrueProofs } from '../support/evil/trueProof.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'

const MODES = ['blob', 'calldata'] as const

describe('what can be proven and what cannot', () => {
  let anvil: Anvil
  let fixture: TestLane
  let evil: EvilLane
  let prover: TestProver
  before(async () => {
    anvil = await startAnvil()
    fixture = await openTestLane({ anvil })
    evil = new EvilLane(fixture)
    prover = await startTestProver(fixture, { account: PROVER_ACCOUNT })
  })
  after(async () => {
    await prover?.stop()
    await anvil?.stop()
  })

  for (const mode of MODES) {
    test(`${mode}: no chunk of an honest batch is provable`, async () => {
      const { built } = await evil.build([fixture.fleet.rows(22), fixture.fleet.rows(22), fixture.fleet.rows(5)])
      assert.equal(built.settled, 49)
      await expectUnprovable(evil, built, mode)
    })

    test(`${mode}: hostile chunks with right roots are not provable`, async () => {
      const hostile = hostileBodies(fixture.fleet)
      const { built } = await evil.build(hostile.map(({ body }) => body))
      await expectUnprovable(evil, built, mode)
      await prover.idle()
      assert.equal(prover.status().lanes[0]!.checkedIndex, built ? await evil.tip() : 0n)
    })

    test(`${mode}: a hostile chunk with a wrong root is proven`, async () => {
      const hostile = hostileBodies(fixture.fleet)
      for (const [chunk, { name }] of hostile.entries()) {
        const tip = await evil.tip()
        const story = { bodies: hostile.map(({ body }) => body), lie: { name, chunk, claim: flip } }
        await evil.postLie(story, mode)
        assert.equal(await evil.tip(), tip + 1n)
        await prover.idle()
        assert.equal(await evil.tip(), tip, name)
        await evil.bondAgain()
      }
    })
  }

  test('blob: top bytes of elements say nothing, whether the roots are right or wrong', async () => {
    const bodies = [fixture.fleet.rows(22), fixture.fleet.rows(22)]
    const withTops = (batch: BuiltBatch): Uint8Array[] =>
      blobsOf(batch).map((blob) => {
        for (let at = 0; at < blob.length; at += ELEMENT_BYTES) blob[at] = 1 + ((at / ELEMENT_BYTES) % 0x72)
        return blob
      })
    const lied = (await evil.build(bodies, { name: 'root', chunk: 0, claim: flip })).built
    const tip = await evil.tip()
    await postBatch(evil.poster, await evil.parent(), lied, { mode: 'blob', blobs: withTops(lied) })
    await prover.idle()
    assert.equal(await evil.tip(), tip)
    await evil.bondAgain()
    const { built } = await evil.build(bodies)
    await expectUnprovable(evil, built, 'blob', withTops(built))
  })

  test('calldata: a last chunk cut to its preRoot, or inside a record, is judged as if zero-padded', async () => {
    for (const length of [0, 1, SIGNED_RECORD_BYTES + 30, P256_LAYOUT.bodyBytes - 1]) {
      const bodies = [fixture.fleet.rows(22), fixture.fleet.rows(22).subarray(0, length)]
      const padded = bodies.map((body) => Uint8Array.from({ ...body, length: P256_LAYOUT.bodyBytes }))
      const { built } = await evil.build(padded)
      const cut = { ...built, chunks: built.chunks.map((chunk, k) => ({ ...chunk, body: bodies[k]! })) }
      await expectUnprovable(evil, cut, 'calldata')
      evil.honest[evil.honest.length - 1] = { ...evil.honest.at(-1)!, built }
    }
    const tip = await evil.tip()
    const { built } = await evil.build([fixture.fleet.rows(22), new Uint8Array()], {
      name: 'root',
      chunk: 1,
      claim: flip,
    })
    await postBatch(evil.poster, await evil.parent(), built, { mode: 'calldata' })
    await prover.idle()
    assert.equal(await evil.tip(), tip)
    await evil.bondAgain()
  })

  test('a batch of two blobs: the claim after the first blob is opened in the second', async () => {
    const bodies = Array.from({ length: 66 }, () => fixture.fleet.rows(1))
    const tip = await evil.tip()
    await evil.postLie({ bodies, lie: { name: 'root', chunk: 63, claim: flip } }, 'blob')
    await prover.idle()
    assert.equal(await evil.tip(), tip)
    await evil.bondAgain()
    await evil.postHonest(bodies, 'blob')
    await prover.idle()
    assert.equal(await evil.tip(), tip + 1n)
  })

  test("an operator's odd last bytes of parentHash save nothing", async () => {
    const tip = await evil.tip()
    const parent = await evil.parent()
    const odd = { ...parent, headerHash: `${parent.headerHash.slice(0, -8)}deadbeef` as const }
    const { built } = await evil.build([fixture.fleet.rows(2)], { name: 'root', chunk: 0, claim: flip })
    await postBatch(evil.poster, odd as Posted, built, { mode: 'calldata' })
    await prover.idle()
    assert.equal(await evil.tip(), tip)
    await evil.bondAgain()
  })

  test('a proof copied from the pool earns its copier nothing', async () => {
    const { domain } = evil
    const rules = await evil.rules()
    const state = await evil.state(rules)
    const parent = await evil.parent()
    await prover.stop()
    const posted = await evil.postLie(
      { bodies: [fixture.fleet.rows(22)], lie: { name: 'root', chunk: 0, claim: flip } },
      'calldata',
    )
    const proofs = new TrueProofs({ fixture, posted, parent: parent.header, state, rules, domain })
    const data = proofs.proveData(0, await proofs.proofOf(0))
    assert.equal(await proofs.outcome(data), 'UnknownCommitment', 'no proof without a commitment')
    await proofs.commit(0)
    assert.equal(await proofs.outcome(data, fixture.owner.address), 'UnknownCommitment', 'not from another address')
    assert.equal(await proofs.outcome(data), 'proven')
    const to = fixture.contracts.rollup
    await sendCall({ client: fixture.client, account: proofs.prover }, { to, data, label: 'proveFraud' })
    assert.equal(await proofs.outcome(data), 'NotLive', 'and not twice')
    await evil.bondAgain()
  })
})

test('a full chunk, 22 EVSEs and 22 contracts far apart in large registries, from a blob', async () => {
  await using anvil = await startAnvil()
  const fixture = await openTestLane({ anvil, evses: 704, contracts: 704, seed: 3 })
  const { fleet } = fixture
  const evil = new EvilLane(fixture)
  const prover = await startTestProver(fixture, { account: PROVER_ACCOUNT })
  try {
    const rowOf = (slot: number) => fleet.sign(fleet.next(slot, { contract: (slot + 16) % 704 }))
    const body = (): Uint8Array => Buffer.concat(Array.from({ length: 22 }, (_, i) => rowOf(i * 32 + 5)))
    // Leaves that were written before, so that they are not zero.
    await evil.postHonest([body()], 'calldata')
    const bodies = [body(), body()]
    const { built } = await evil.build(bodies)
    assert.equal(built.settled, 44)
    for (const mode of MODES) {
      await evil.postLie({ bodies, lie: { name: 'root', chunk: 0, claim: flip } }, mode)
      await prover.idle()
      assert.equal(await evil.tip(), 1n)
      const { gas, bytes } = await gasOfLastProof(fixture)
      console.log(`  ${mode}: full chunk, 22 + 22 leaves of 704: ${gas} gas, ${bytes} bytes`)
      assert.ok(gas <= 5_000_000n && bytes <= 96 * 1024)
      await evil.bondAgain()
    }
    await expectUnprovable(evil, (await evil.build(bodies)).built, 'blob')
  } finally {
    await prover.stop()
  }
})
