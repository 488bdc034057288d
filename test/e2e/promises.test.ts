import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { privateKeyToAccount } from 'viem/accounts'
import { findPromise, proveBrokenPromise, receiptArgument, receiptSigner } from '../../bridge/promise.ts'
import { openLaneReplay } from '../../bridge/laneReplay.ts'
import { createHttpClient } from '../../client/http.ts'
import { promisesAbi } from '../../l1/abi/promises.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { beaconSource } from '../../l1/derive/beacon.ts'
import { SLASH_WEI } from '../../protocol/limits.ts'
import { parseReceiptJson, type ReceiptFile } from '../../protocol/receiptJson.ts'
import { startSequencer } from '../../sequencer/main.ts'
import { type Anvil, anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { type DataMode, postBatch } from '../support/evil/postBatch.ts'
import { type Acknowledged, assertKept } from '../support/feed.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { readLane } from '../support/laneOnL1.ts'
import { verifierOf } from '../support/receipts.ts'
import { sequencerConfig } from '../support/sequencerFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const ROW = 88
const reporter = privateKeyToAccount(anvilPrivateKey(5))

async function open(anvil: Anvil, evses: number): Promise<TestLane> {
  return await openTestLane({ anvil, evses, periodsBehind: 100 })
}

/** Sends rows and has every receipt checked, as a charger does. */
async function submit(lane: TestLane, url: string, rows: Uint8Array, into: Map<string, Acknowledged>): Promise<void> {
  await using client = createHttpClient({ url, receipts: await verifierOf(lane), timeoutMs: 60_000 })
  for (const [i, { position, amountMicro, receipt }] of (await client.submit({ lane: lane.lane, rows })).entries()) {
    const row = Buffer.from(rows.subarray(i * ROW, (i + 1) * ROW))
    into.set(row.toString('hex', 0, 24), { row, position, amountMicro, receipt: receipt! })
  }
}

async function receiptFile(lane: TestLane, url: string, position: number): Promise<ReceiptFile> {
  const response = await fetch(`${url}/v1/lanes/${lane.lane}/records/${position}/receipt`)
  assert.equal(response.status, 200)
  return parseReceiptJson(await response.text())
}

async function standing(lane: TestLane, file: ReceiptFile) {
  const { client, contracts, anvil } = lane
  const sources = [beaconSource({ url: anvil.url, blockId: 'number', secondsPerSlot: 12, timeoutMs: 30_000 })]
  const replay = await openLaneReplay({ client, contracts, blobs: { sources }, lane: lane.lane })
  return await findPromise(replay, file.receipt)
}

async function tipOf({ client, contracts, lane }: TestLane): Promise<bigint> {
  const call = { address: contracts.rollup, abi: rollupAbi, functionName: 'lane', args: [lane] } as const
  return (await client.readContract(call)).tip
}

async function bondOf({ client, contracts, operator }: TestLane): Promise<bigint> {
  const call = { address: contracts.rollup, abi: rollupAbi, functionName: 'bondOf', args: [operator.address] } as const
  return (await client.readContract(call))[0]
}

/** Twelve records with real receipts; the operator then posts `order` of them in their place. */
async function promiseAndPost(lane: TestLane, folder: string, order: readonly number[], mode: DataMode) {
  const rows = lane.fleet.rows(12)
  const acknowledged = new Map<string, Acknowledged>()
  const files: ReceiptFile[] = []
  {
    await using sequencer = await startSequencer(sequencerConfig(lane, { folder }))
    await submit(lane, sequencer.url, rows, acknowledged)
    for (let position = 0; position < 12; position++) files.push(await receiptFile(lane, sequencer.url, position))
  }
  assert.equal((await standing(lane, files[0]!)).kind, 'notPosted')
  const evil = new EvilLane(lane)
  const body = Buffer.concat(order.map((i) => rows.subarray(i * ROW, (i + 1) * ROW)))
  const { built } = await evil.build([body])
  await postBatch(evil.poster, await evil.parent(), built, { mode })
  return files
}

for (const mode of ['calldata', 'blob'] as const) {
  test(`a sequencer that swaps two promised records is slashed by their real receipts: ${mode}`, {
    timeout: 600_000,
  }, async () => {
    await using anvil = await startAnvil()
    await using folder = await temporaryFolder()
    const lane = await open(anvil, 12)
    const files = await promiseAndPost(lane, folder.path, [0, 1, 2, 4, 3, 5, 6, 7, 8, 9, 10, 11], mode)
    const caller = { client: lane.client, account: reporter }
    const { promises } = lane.contracts

    for (const position of [0, 2, 5, 11]) assert.equal((await standing(lane, files[position]!)).kind, 'kept')
    const broken = await standing(lane, files[3]!)
    assert.equal(broken.kind, 'broken')
    if (broken.kind !== 'broken') return
    // What L1 would say of a kept one.
    await assert.rejects(proveBrokenPromise(caller, promises, files[5]!.receipt, broken.evidence), /PromiseKept/)

    const before = await bondOf(lane)
    const { gasUsed } = await proveBrokenPromise(caller, promises, files[3]!.receipt, broken.evidence)
    assert.equal(before - (await bondOf(lane)), SLASH_WEI)
    assert.ok(gasUsed < 5_000_000n, `${gasUsed} gas`)
    await assert.rejects(proveBrokenPromise(caller, promises, files[3]!.receipt, broken.evidence), /AlreadySlashed/)
    await proveBrokenPromise(caller, promises, files[4]!.receipt, broken.evidence)
    assert.equal(before - (await bondOf(lane)), 2n * SLASH_WEI)
    console.log({ mode, gasUsed })
  })
}

test('a dropped record breaks the promises behind it, and the last place is not covered any more', {
  timeout: 600_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await open(anvil, 12)
  const files = await promiseAndPost(lane, folder.path, [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11], 'calldata')
  const { client, contracts } = lane
  const caller = { client, account: reporter }
  assert.equal((await standing(lane, files[3]!)).kind, 'kept')
  assert.equal((await standing(lane, files[11]!)).kind, 'notPosted')
  const broken = await standing(lane, files[7]!)
  if (broken.kind !== 'broken') throw new Error(broken.kind)
  const before = await bondOf(lane)
  await proveBrokenPromise(caller, contracts.promises, files[7]!.receipt, broken.evidence)
  assert.equal(before - (await bondOf(lane)), SLASH_WEI)

  const { chainId, rollup } = files[7]!
  assert.equal(receiptSigner(files[7]!, { chainId, rollup }), lane.operator.address)
  assert.throws(() => receiptSigner(files[7]!, { chainId: chainId + 1, rollup }), { code: 'RECEIPT_INVALID' })
  const bent = { ...files[7]!.receipt, position: 6 }
  assert.throws(() => receiptSigner({ ...files[7]!, receipt: bent }, { chainId, rollup }), { code: 'RECEIPT_INVALID' })
})

test('an honest sequencer keeps every promise through restarts, redating and a reorganisation of L1', {
  timeout: 600_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await open(anvil, 30)
  const acknowledged = new Map<string, Acknowledged>()
  const options = { folder: folder.path, batch: { asOfAheadSeconds: 2, maxAgeSeconds: 600 } }
  const config = sequencerConfig(lane, options)
  const rows = Array.from({ length: 4 }, () => lane.fleet.rows(30))
  {
    await using sequencer = await startSequencer(config)
    await submit(lane, sequencer.url, rows[0]!, acknowledged)
    await submit(lane, sequencer.url, rows[1]!.subarray(0, 10 * ROW), acknowledged)
  }
  const given = [...acknowledged.values()].map(({ receipt }) => Buffer.from(receipt!.signature).toString('hex'))
  {
    await using sequencer = await startSequencer(config)
    // Some of it again, as after a lost answer: the same receipts, and new ones for the rest.
    await submit(lane, sequencer.url, rows[1]!, acknowledged)
    assert.deepEqual(
      [...acknowledged.values()].slice(0, 40).map(({ receipt }) => Buffer.from(receipt!.signature).toString('hex')),
      given,
    )
    // Three hours go by before anything is posted: L1 would refuse the date.
    await sequencer.closeBatch(lane.lane)
    await anvil.warp(4 * 3600)
    await anvil.mine(2) // what L1 holds final must not lag behind the clock
    const now = await anvil.now()
    while (sequencer.queries.lane(lane.lane)!.l1.seconds < now - 30) await sleep(50)
    await submit(lane, sequencer.url, rows[2]!, acknowledged)
    await sequencer.closeBatch(lane.lane)
    await anvil.warp(10)
    await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
    await submit(lane, sequencer.url, rows[3]!, acknowledged)
    await sequencer.closeBatch(lane.lane)
    await anvil.warp(10)
    await sequencer.idle(lane.lane, AbortSignal.timeout(180_000))
    // The block with the newest batch is taken back.
    const tip = await tipOf(lane)
    await anvil.reorg(1)
    assert.equal(await tipOf(lane), tip - 1n)
    for (let waits = 0; (await tipOf(lane)) !== tip; waits++) {
      assert.ok(waits < 600, 'the batch is not posted again')
      await anvil.mine(1)
      await sleep(300)
    }
  }
  assert.equal(acknowledged.size, 120)
  const onL1 = await readLane(lane)
  assertKept(acknowledged, onL1)

  // L1 itself is asked to slash for each, and refuses.
  const { client, contracts } = lane
  for (const { receipt } of [...acknowledged.values()].filter((_, i) => i % 17 === 0)) {
    assert.ok(receipt !== undefined)
    const file = { chainId: client.chain.id, rollup: contracts.rollup, receipt }
    assert.equal((await standing(lane, file)).kind, 'kept')
    const args = [receiptArgument(receipt)] as const
    const call = { address: contracts.promises, abi: promisesAbi, functionName: 'signerOf', args } as const
    assert.equal(await client.readContract(call), lane.operator.address)
  }
})
