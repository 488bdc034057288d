import { createWalletClient, encodeFunctionData, type Hex, http } from 'viem'
import { accountFromKey, connectL1, type L1Account, type L1Client, l1ConfigSchema } from '../../l1/client.ts'
import type { Contracts } from '../../l1/contracts.ts'
import { contractsOf } from '../../l1/operate/deployment.ts'
import type { Caller } from '../../l1/contractCall.ts'
import { deploy } from '../../l1/deploy.ts'
import { depositBond, openLane, openZone } from '../../l1/operate/lanes.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { type BatchHeader, hashDataWords } from '../../protocol/batchHeader.ts'
import { MIN_BOND_WEI } from '../../protocol/limits.ts'
import { type Anvil, anvilAccount, anvilPrivateKey } from './anvil.ts'

export interface TestLane {
  client: L1Client
  contracts: Contracts
  zone: number
  lane: number
  /** Account 0: deployer, zone operator, publisher, certifier, lane owner. */
  owner: Caller
  /** Account 1: bonded. */
  operator: L1Account
}

/** Contracts on a fresh node, one zone and one lane. */
export async function openTestLane(anvil: Anvil): Promise<TestLane> {
  const client = await connectL1(l1ConfigSchema.parse({ rpcUrl: anvil.url }))
  const account = accountFromKey(anvilPrivateKey(0))
  const operator = accountFromKey(anvilPrivateKey(1))
  const wallet = createWalletClient({ account: anvilAccount(0), chain: client.chain, transport: http(anvil.url) })
  const deployment = await deploy(wallet, client, {})
  const contracts = contractsOf(deployment)
  const { rollup, registry } = contracts
  const owner: Caller = { client, account }
  const zone = await openZone(owner, registry, { publisher: account.address, certifier: account.address })
  const lane = await openLane(owner, rollup, { zone, operator: operator.address })
  await depositBond({ client, account: operator }, rollup, MIN_BOND_WEI)
  return { client, contracts, zone, lane, owner, operator }
}

export interface TestBatch {
  parent: { header: BatchHeader; headerHash: Hex }
  asOf: number
  chunkCount: number
  dataKind: number
  /** Calldata of the chunks, or empty. */
  data: Hex
  dataWords: readonly Hex[]
}

/** What the operator sends, and the header that L1 will make of it. */
export async function encodeBatch(
  given: TestLane,
  batch: TestBatch,
): Promise<{ to: Hex; data: Hex; header: BatchHeader }> {
  // Simulated in the head's own block, which knows the hashes of those before it only.
  const head = await given.client.getBlock()
  const { header: parent, headerHash: parentHash } = batch.parent
  const submission = {
    lane: given.lane,
    index: parent.index + 1n,
    parentHash,
    postRoot: `0x${'5a'.repeat(31)}` as Hex,
    asOf: batch.asOf,
    l1Block: head.number - 1n,
    l1Hash: head.parentHash,
    dataKind: batch.dataKind,
    chunkCount: batch.chunkCount,
    forcedEnd: parent.forcedEnd,
  }
  return {
    to: given.contracts.rollup,
    data: encodeFunctionData({ abi: rollupAbi, functionName: 'submitBatch', args: [submission, batch.data] }),
    header: {
      ...submission,
      forcedStart: parent.forcedEnd,
      forcedStartHash: parent.forcedEndHash,
      forcedEndHash: parent.forcedEndHash,
      forcedChunks: 0,
      dataHash: hashDataWords(batch.dataWords),
      submitter: given.operator.address,
    },
  }
}
