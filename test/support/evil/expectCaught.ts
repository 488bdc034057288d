import assert from 'node:assert/strict'
import { rollupAbi } from '../../../l1/abi/rollup.ts'
import { toHex } from '../../../l1/bytes.ts'
import { SLASH_WEI } from '../../../protocol/limits.ts'
import { anvilAccount } from '../anvil.ts'
import type { TestLane } from '../laneFixture.ts'
import type { EvilLane } from './evilLane.ts'
import type { Story } from './lies.ts'
import type { DataMode } from './postBatch.ts'
import { PROVER_ACCOUNT, type TestProver } from './testProver.ts'

/** The fraud proofs that L1 accepted, oldest first. */
export async function acceptedProofs(fixture: TestLane) {
  return await fixture.client.getContractEvents({
    address: fixture.contracts.rollup,
    abi: rollupAbi,
    eventName: 'FraudProven',
    fromBlock: 0n,
    strict: true,
  })
}

/** Posts the lie, waits for the prover, and looks at what L1 made of it. */
export async function expectCaught(evil: EvilLane, prover: TestProver, story: Story, mode: DataMode): Promise<void> {
  const { fixture } = evil
  const { client, contracts } = fixture
  const before = await acceptedProofs(fixture)
  const balance = await client.getBalance({ address: anvilAccount(PROVER_ACCOUNT).address })
  const [bond] = await client.readContract({
    address: contracts.rollup,
    abi: rollupAbi,
    functionName: 'bondOf',
    args: [fixture.operator.address],
  })
  const tip = await evil.tip()
  const truth = await evil.build(story.bodies)
  const posted = await evil.postLie(story, mode, [[fixture.fleet.body(3)]])
  assert.equal(await evil.tip(), tip + 2n, 'L1 took the lie and a batch on top of it')

  await prover.idle()

  assert.equal(await evil.tip(), tip, 'the lie and the batch on top of it fell')
  const now = await acceptedProofs(fixture)
  assert.equal(now.length, before.length + 1)
  const proof = now.at(-1)!
  const { chunk } = story.lie
  assert.equal(proof.args.index, posted.header.index)
  assert.equal(proof.args.chunk, chunk, 'the first wrong chunk was proven')
  assert.equal(proof.args.computedRoot, toHex(truth.built.chunks[chunk + 1]?.preRoot ?? truth.built.postRoot))
  assert.equal(proof.args.reward, SLASH_WEI / 2n)
  const [bondAfter] = await client.readContract({
    address: contracts.rollup,
    abi: rollupAbi,
    functionName: 'bondOf',
    args: [fixture.operator.address],
  })
  assert.equal(bond - bondAfter, SLASH_WEI)
  const gained = (await client.getBalance({ address: anvilAccount(PROVER_ACCOUNT).address })) - balance
  assert.ok(gained > SLASH_WEI / 2n - 10n ** 17n, `the prover gained ${gained}`)
  const transaction = await client.getTransaction({ hash: proof.transactionHash })
  const receipt = await client.getTransactionReceipt({ hash: proof.transactionHash })
  console.log(`  ${mode}: ${story.lie.name}: ${receipt.gasUsed} gas, ${(transaction.input.length - 2) / 2} bytes`)
  await evil.bondAgain()
}

/** What the newest proof that L1 accepted took. */
export async function gasOfLastProof(fixture: TestLane): Promise<{ gas: bigint; bytes: number }> {
  const events = await fixture.client.getContractEvents({
    address: fixture.contracts.rollup,
    abi: rollupAbi,
    eventName: 'FraudProven',
    fromBlock: 0n,
  })
  const hash = events.at(-1)!.transactionHash
  const [transaction, receipt] = await Promise.all([
    fixture.client.getTransaction({ hash }),
    fixture.client.getTransactionReceipt({ hash }),
  ])
  return { gas: receipt.gasUsed, bytes: (transaction.input.length - 2) / 2 }
}
