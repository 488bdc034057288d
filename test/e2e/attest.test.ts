import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { erc20Abi } from 'viem'
import { openLaneReplay } from '../../bridge/laneReplay.ts'
import { claimBase, claimOf } from '../../bridge/withdraw.ts'
import { fastClaim, withdrawFast } from '../../bridge/withdrawFast.ts'
import { attestersAbi } from '../../l1/abi/attesters.ts'
import { vaultAbi } from '../../l1/abi/vault.ts'
import { accountFromKey } from '../../l1/client.ts'
import { slashAttesters } from '../../l1/operate/attesters.ts'
import { attestMessage } from '../../protocol/attestation.ts'
import { WINDOW_SECONDS } from '../../protocol/limits.ts'
import { encodeVote } from '../../prover/attest/vote.ts'
import { isBackfeedError } from '../../runtime/errors.ts'
import { type Anvil, anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { attestBlindly, joinTestAttesters, type TestAttester } from '../support/attesters.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { rootLies, type Story } from '../support/evil/lies.ts'
import { postBatch } from '../support/evil/postBatch.ts'
import { startTestProver, type TestProver } from '../support/evil/testProver.ts'
import { type GossipPeer, startGossipPeer } from '../support/gossipPeer.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { untilWithin } from '../support/until.ts'

const STAKER = 3
/** Provers that attest, with L1 keys of their own. */
const HONEST = [4, 5, 6, 7] as const
const PASSER_BY = 8
const HONEST_STAKE = 5_000_000_000n
const SMALL_STAKE = 1_000_000_000n

/** Credits contract 0 with a million micro that it did not earn. */
function wrongAmount(bodies: readonly Uint8Array[]): Story {
  return rootLies(bodies).find(({ lie }) => lie.name === 'wrong amount')!
}

const until = untilWithin(180)

describe('six attesters: four at work, one silent, one that lies', () => {
  let anvil: Anvil
  let fixture: TestLane
  let evil: EvilLane
  let attesters: TestAttester[]
  let liar: TestAttester
  let stranger: GossipPeer
  const provers: TestProver[] = []

  before(async () => {
    anvil = await startAnvil()
    fixture = await openTestLane({ anvil })
    evil = new EvilLane(fixture)
    const stakesMicro = [...HONEST.map(() => HONEST_STAKE), SMALL_STAKE, SMALL_STAKE]
    attesters = await joinTestAttesters(fixture, { account: STAKER, firstSeed: 1, stakesMicro })
    liar = attesters[5]!
    for (const [i, account] of HONEST.entries()) {
      const peers = provers.flatMap((prover) => prover.status().attesting!.listening)
      provers.push(await startTestProver(fixture, { account, attest: { secret: attesters[i]!.key.toBytes(), peers } }))
    }
    stranger = await startGossipPeer(
      `backfeed/1/attest/${fixture.client.chain.id}/${fixture.contracts.attesters.toLowerCase()}`,
    )
  })
  after(async () => {
    await stranger?.[Symbol.asyncDispose]()
    for (const prover of provers) await prover.stop()
    await anvil?.stop()
  })

  const passerBy = accountFromKey(anvilPrivateKey(PASSER_BY))
  const caller = () => ({ client: fixture.client, account: passerBy })
  const isAttested = async (headerHash: `0x${string}`): Promise<boolean> =>
    await fixture.client.readContract({
      address: fixture.contracts.attesters,
      abi: attestersAbi,
      functionName: 'isAttested',
      args: [headerHash],
    })
  const balanceOf = async (who: `0x${string}`): Promise<bigint> =>
    await fixture.client.readContract({
      address: fixture.contracts.token,
      abi: erc20Abi,
      functionName: 'balanceOf',
      args: [who],
    })
  const vaultNumber = async (functionName: 'paidOut' | 'lifetimeFunding'): Promise<bigint> =>
    await fixture.client.readContract({
      address: fixture.contracts.vault,
      abi: vaultAbi,
      functionName,
      args: [fixture.lane],
    })
  const openReplay = () => openLaneReplay({ ...fixture, blobs: { sources: [] } })
  const fastOf = async (slot: number) => await fastClaim(await openReplay(), { ...fixture, slot })

  test('an owner is paid minutes after the batch, without its window', async () => {
    await until('everybody hears everybody', () => provers.every((prover) => prover.status().attesting!.peers === 3))
    await assert.rejects(fastOf(0), (error: unknown) => isBackfeedError(error, 'NOT_ATTESTED'))
    const startedMs = performance.now()
    const posted = await evil.postHonest([fixture.fleet.rows(8)], 'calldata')
    await until('the batch is attested', () => isAttested(posted.headerHash))
    const attestedMs = performance.now() - startedMs
    const fast = await fastOf(0)
    const before = await balanceOf(fixture.owner.address)
    const { payments, gasUsed } = await withdrawFast(caller(), fixture.contracts, fast)
    assert.equal(payments.length, 1)
    assert.ok(payments[0]!.amountMicro > 0n)
    assert.equal((await balanceOf(fixture.owner.address)) - before, payments[0]!.amountMicro)
    assert.ok(fast.finalAt - (await anvil.now()) > WINDOW_SECONDS - 600, 'the window has only begun')
    await assert.rejects(withdrawFast(caller(), fixture.contracts, fast), (error: unknown) =>
      isBackfeedError(error, 'L1_REVERTED'),
    )
    // Everybody held the quorum, one paid for it.
    await until('everybody knows', () =>
      provers.every((prover) => prover.status().attesting!.lanes[0]?.attestedIndex === posted.header.index),
    )
    assert.equal(
      provers.reduce((sum, prover) => sum + prover.status().attesting!.posted, 0),
      1,
    )
    console.log(`attested after ${Math.round(attestedMs)} ms; withdrawn with ${gasUsed} gas`)
  })

  test('a peer that tells garbage is cut off by everyone, and stays away', async () => {
    const addresses = provers.map((prover) => prover.status().attesting!.listening[0]!)
    for (const address of addresses) await stranger.dial(address)
    await until('everyone hears it', () => stranger.hearers() === provers.length)
    for (let i = 0; i < 6; i++) {
      await stranger.tell(randomBytes(133))
      await stranger.tell(randomBytes(7))
      await sleep(100)
    }
    // With the right id and batch, but another's signature.
    const { headerHash } = evil.honest[0]!.posted
    const domain = { chainId: BigInt(fixture.client.chain.id), attesters: fixture.contracts.attesters }
    for (let i = 0; i < 6; i++) {
      const signature = liar.key.sign(attestMessage(domain, headerHash)).toBytes(true)
      const toldAt = Math.floor(Date.now() / 1_000) + i
      await stranger.tell(encodeVote({ toldAt, attester: 4, headerHash, signature }))
      await sleep(100)
    }
    await until('it is cut off', () => provers.every((prover) => prover.status().attesting!.deniedPeers === 1))
    await until('and gone', () => stranger.connected() === 0)
    await stranger.dial(addresses[0]!).catch(() => {}) // refused at once, or closed right after
    await until('gone again', () => stranger.connected() === 0)
    // The honest ones are not cut off with it.
    for (const prover of provers) assert.equal(prover.status().attesting!.peers, 3)
  })

  test('nobody honest signs a false batch; the one that does is alone', async () => {
    const story = wrongAmount([fixture.fleet.rows(22), fixture.fleet.rows(4)])
    const { built } = await evil.build(story.bodies, story.lie)
    const posted = await postBatch(evil.poster, await evil.parent(), built, { mode: 'calldata' })
    const domain = { chainId: BigInt(fixture.client.chain.id), attesters: fixture.contracts.attesters }
    await using crony = await startGossipPeer(
      `backfeed/1/attest/${fixture.client.chain.id}/${fixture.contracts.attesters.toLowerCase()}`,
    )
    for (const prover of provers) await crony.dial(prover.status().attesting!.listening[0]!)
    await until('everyone hears it', () => crony.hearers() === provers.length)
    const signature = liar.key.sign(attestMessage(domain, posted.headerHash)).toBytes(true)
    const { headerHash } = posted
    await crony.tell(encodeVote({ toldAt: Math.floor(Date.now() / 1_000), attester: liar.id, headerHash, signature }))
    await Promise.all(provers.map((prover) => prover.idle()))
    assert.equal(await isAttested(headerHash), false)
    assert.equal(await evil.tip(), 1n, 'proven false')
    for (const prover of provers) {
      const { attesting } = prover.status()
      assert.equal(attesting!.refused, 0)
      assert.equal(attesting!.lanes[0]!.index, 1n)
      assert.ok(!attesting!.lanes[0]!.signers.includes(liar.id))
    }
    await evil.bondAgain()
  })

  test('a quorum that vouches for a false batch loses its stakes, and the lane gets back what was paid', async () => {
    for (const prover of provers.splice(0)) await prover.stop()
    const paidBefore = await vaultNumber('paidOut')
    const lifetime = await vaultNumber('lifetimeFunding')
    const story = wrongAmount([fixture.fleet.rows(22), fixture.fleet.rows(4)])
    const { built, state } = await evil.build(story.bodies, story.lie)
    const posted = await postBatch(evil.poster, await evil.parent(), built, { mode: 'calldata' })
    const colluders = attesters.slice(0, 4)
    await attestBlindly(fixture, colluders, posted, PASSER_BY)
    const rules = await evil.rules()
    const claim = { base: claimBase(posted.header, state), claim: claimOf(0, state, rules), finalAt: 0 }
    const { payments } = await withdrawFast(caller(), fixture.contracts, claim)
    const stolen = payments[0]!.amountMicro
    assert.ok(stolen >= 1_000_000n, `what the lie credited, not ${stolen}`)
    assert.equal(await vaultNumber('paidOut'), paidBefore + stolen)
    await assert.rejects(slashAttesters(caller(), fixture.contracts.attesters, posted.header), /NotFallen/)
    const honest = evil.honest[0]!.posted.header
    await assert.rejects(slashAttesters(caller(), fixture.contracts.attesters, honest), /NotFallen/)

    const prover = await startTestProver(fixture, { account: HONEST[0] })
    try {
      await prover.idle()
      assert.equal(prover.status().frauds.proven, 1)
    } finally {
      await prover.stop()
    }
    const purse = await balanceOf(passerBy.address)
    const done = await slashAttesters(caller(), fixture.contracts.attesters, posted.header)
    assert.equal(done.slashedMicro, 4n * HONEST_STAKE)
    assert.equal(done.refilledMicro, stolen)
    assert.equal(await vaultNumber('paidOut'), paidBefore)
    assert.equal(await vaultNumber('lifetimeFunding'), lifetime)
    assert.equal((await balanceOf(passerBy.address)) - purse, done.rewardMicro)
    // An attested honest batch can't be slashed, before or after.
    await assert.rejects(slashAttesters(caller(), fixture.contracts.attesters, honest), /NotFallen/)
    const left = await fixture.client.readContract({
      address: fixture.contracts.attesters,
      abi: attestersAbi,
      functionName: 'totalStake',
    })
    assert.equal(left, 2n * SMALL_STAKE)
  })
})
