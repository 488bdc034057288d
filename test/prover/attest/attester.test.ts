import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { encodeAbiParameters, encodeEventTopics, type Hex, keccak256, toHex as numberHex } from 'viem'
import { attestersAbi } from '../../../l1/abi/attesters.ts'
import { toHex } from '../../../l1/bytes.ts'
import type { L1Client } from '../../../l1/client.ts'
import type { Contracts } from '../../../l1/contracts.ts'
import type { L1Follower } from '../../../l1/follow.ts'
import { genesisHeader, hashHeader } from '../../../protocol/batchHeader.ts'
import { blsKeyBytes } from '../../../protocol/bls.ts'
import { attestMetrics } from '../../../prover/attest/attestMetrics.ts'
import { Attester } from '../../../prover/attest/attester.ts'
import { Poster } from '../../../prover/attest/poster.ts'
import { SignedLog } from '../../../prover/attest/signedLog.ts'
import { decodeVote } from '../../../prover/attest/vote.ts'
import type { KnownBatch } from '../../../prover/attest/voteBook.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { testBlsKey } from '../../support/attesters.ts'
import { until } from '../../support/until.ts'

const folder = mkdtempSync(join(tmpdir(), 'backfeed-attester-'))
after(() => rmSync(folder, { recursive: true }))

const address: Hex = `0x${'42'.repeat(20)}`
const key = testBlsKey(1)
const keyHex = toHex(blsKeyBytes(key.toPublicKey()))

function batch(index: number, salt: number): KnownBatch {
  const header = { ...genesisHeader(0, 5 + salt), index: BigInt(index) }
  return { header, headerHash: hashHeader(header), submittedAt: 1_000 }
}

/** L1 as far as an attester asks it: one attester, and a ring with one batch in it. */
class TinyL1 {
  ring: Hex = numberHex(0n, { size: 32 })
  tip = 1n
  readonly chain = { id: 31_337 }

  async readContract({ functionName }: { functionName: string }): Promise<unknown> {
    const seat = { owner: address, stake: 10n, releaseAt: 0n, joined: 1, keyHash: keccak256(keyHex) }
    if (functionName === 'attesters') return [[7], [seat]]
    if (functionName === 'ringWordAt') return this.ring
    if (functionName === 'lane') return { tip: this.tip }
    if (functionName === 'attestation') return { status: 0 }
    if (functionName === 'isLive') return true
    throw new Error(`nobody asks for ${functionName}`)
  }

  async getBlock(): Promise<unknown> {
    return { number: 5n, timestamp: 2_000n }
  }

  async request(): Promise<unknown> {
    const topics = encodeEventTopics({
      abi: attestersAbi,
      eventName: 'AttesterJoined',
      args: { attester: 7, owner: address },
    })
    const data = encodeAbiParameters([{ type: 'bytes' }, { type: 'uint256' }], [keyHex, 10n])
    const place = {
      blockNumber: '0x1',
      blockHash: numberHex(1n, { size: 32 }),
      transactionHash: numberHex(2n, { size: 32 }),
    }
    return [{ address, topics, data, ...place, logIndex: '0x0', transactionIndex: '0x0', removed: false }]
  }
}

async function startAttester(name: string, l1: TinyL1) {
  const told: Uint8Array[] = []
  const client = l1 as unknown as L1Client
  const signed = await SignedLog.open(join(folder, name))
  const metrics = attestMetrics(createMetrics({ service: 'test', process: false }))
  const log = silentLogger()
  const follower = { head: { number: 5n, timestamp: 2_000 }, onUpdate: () => () => {} } as unknown as L1Follower
  const poster = new Poster({ client, attesters: address, rollup: address, sender: undefined, turnMs: 0, metrics, log })
  const contracts = { attesters: address, rollup: address, deployedAtBlock: 1 } as Contracts
  const publish = async (data: Uint8Array): Promise<void> => void told.push(data)
  const attester = new Attester({
    client,
    contracts,
    follower,
    key,
    signed,
    tellMs: 5_000,
    metrics,
    log,
    publish,
    poster,
  })
  await attester.start({ signal: new AbortController().signal, fail: (error) => assert.fail(String(error)) })
  const hashes = (): (Hex | undefined)[] => told.map((data) => decodeVote(data)?.headerHash)
  const stop = async (): Promise<void> => {
    await attester.stop()
    await signed.close()
  }
  return { attester, hashes, [Symbol.asyncDispose]: stop }
}

test('two batches of one index are never both signed while L1 holds the first, also across a restart', async () => {
  const l1 = new TinyL1()
  const [first, second] = [batch(1, 0), batch(1, 1)]
  l1.ring = `${first.headerHash.slice(0, 58)}00000001` as Hex
  {
    await using before = await startAttester('twice.log', l1)
    before.attester.onRight(first)
    await until(() => before.hashes().includes(first.headerHash))
  }

  await using restarted = await startAttester('twice.log', l1)
  restarted.attester.onRight(second)
  await until(() => restarted.attester.problems().length === 1)
  assert.equal(restarted.attester.problems()[0]!.code, 'ATTEST_CONFLICT')
  assert.equal(restarted.attester.status().refused, 1)
  assert.deepEqual(restarted.hashes(), [])

  // A reorganisation put the second in its place: then it is the only one.
  l1.ring = `${second.headerHash.slice(0, 58)}00000001` as Hex
  await until(() => restarted.hashes().includes(second.headerHash))
  assert.deepEqual(restarted.attester.problems(), [])
})

test('a first batch that fell, and is not replaced, frees its index', async () => {
  const l1 = new TinyL1()
  const [first, second] = [batch(1, 2), batch(1, 3)]
  await using running = await startAttester('fell.log', l1)
  l1.ring = `${first.headerHash.slice(0, 58)}00000001` as Hex
  running.attester.onRight(first)
  await until(() => running.hashes().includes(first.headerHash))
  l1.tip = 0n
  running.attester.onRight(second)
  await until(() => running.hashes().includes(second.headerHash))
})

test('a batch whose window has passed is left alone', async () => {
  const l1 = new TinyL1()
  await using running = await startAttester('final.log', l1)
  running.attester.onRight({ ...batch(1, 4), submittedAt: 2_000 - 604_800 })
  const fresh = batch(2, 5)
  running.attester.onRight(fresh)
  await until(() => running.hashes().length === 1)
  assert.deepEqual(running.hashes(), [fresh.headerHash])
})
