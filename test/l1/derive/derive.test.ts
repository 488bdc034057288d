import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Hex, keccak256 } from 'viem'
import { errorsAbi } from '../../../l1/abi/errors.ts'
import { type BlobSidecar, prepareSidecar } from '../../../l1/blobTransaction.ts'
import { toHex } from '../../../l1/bytes.ts'
import { fetchBatchData } from '../../../l1/derive/batchData.ts'
import { beaconConfigSchema, beaconSource, type BlobSource, slotAt } from '../../../l1/derive/beacon.ts'
import { openBlobArchive } from '../../../l1/derive/blobArchive.ts'
import { LaneDeriver } from '../../../l1/derive/laneDeriver.ts'
import { toRef } from '../../../l1/follow.ts'
import { TxManager } from '../../../l1/txManager/manager.ts'
import { txConfigSchema, txPolicy } from '../../../l1/txManager/txPolicy.ts'
import { memoryTxStore } from '../../../l1/txManager/txStore.ts'
import { DataKind, hashHeader } from '../../../protocol/batchHeader.ts'
import { BLOB_BYTES, writeCell } from '../../../protocol/chunk.ts'
import { type BackfeedError, isBackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { type Anvil, startAnvil } from '../../support/anvil.ts'
import { encodeBatch, openTestLane, type TestLane } from '../../support/lane.ts'
import { P256_LAYOUT } from '../../../protocol/scheme.ts'

let anvil: Anvil
let given: TestLane
let manager: TxManager
let directory: string
let sidecar: BlobSidecar
const CHUNKS = 65 // one past a blob, so that the second blob is used too

function chunkOf(k: number): { preRoot: Uint8Array; body: Uint8Array } {
  return {
    preRoot: new Uint8Array(31).fill(k + 1),
    body: Uint8Array.from({ length: P256_LAYOUT.bodyBytes }, (_, i) => (i * 7 + k) % 251),
  }
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'backfeed-derive-'))
  anvil = await startAnvil()
  given = await openTestLane(anvil)
  const policy = txPolicy(txConfigSchema.parse({ finality: { kind: 'depth', blocks: 2 }, pollMs: 30 }))
  manager = new TxManager({
    client: given.client,
    account: given.operator,
    store: memoryTxStore(),
    policy,
    log: silentLogger(),
    abi: errorsAbi,
  })
  await manager.start({ fail: (error) => assert.fail(String(error)) })
  const blobs = [new Uint8Array(BLOB_BYTES), new Uint8Array(BLOB_BYTES)]
  for (let k = 0; k < CHUNKS; k++) {
    const { preRoot, body } = chunkOf(k)
    writeCell(blobs[Math.floor(k / 64)]!, k % 64, preRoot, body)
  }
  sidecar = await prepareSidecar(blobs)
})
after(async () => {
  await manager.stop()
  await anvil.stop()
  await rm(directory, { recursive: true })
})

function deriver(): LaneDeriver {
  return new LaneDeriver({ client: given.client, contracts: given.contracts, lane: given.lane })
}

async function head() {
  return toRef(await given.client.getBlock())
}

async function submitBlobs(id: string, parent: Parameters<typeof encodeBatch>[1]['parent']): Promise<Hex> {
  await anvil.warp(60)
  const asOf = (await anvil.now()) - 5
  const dataWords = sidecar.versionedHashes
  const batch = { parent, asOf, chunkCount: CHUNKS, dataKind: DataKind.BLOB, data: '0x' as Hex, dataWords }
  const { to, data, header } = await encodeBatch(given, batch)
  await manager.send({ id, label: 'submitBatch', kind: 'blob', to, data, sidecar })
  return hashHeader(header)
}

async function submitCalldata(id: string, parent: Parameters<typeof encodeBatch>[1]['parent'], bytes: Uint8Array[]) {
  await anvil.warp(60)
  const batch = {
    parent,
    asOf: (await anvil.now()) - 5,
    chunkCount: bytes.length,
    dataKind: DataKind.CALLDATA,
    data: toHex(Buffer.concat(bytes)),
    dataWords: bytes.map((chunk) => keccak256(chunk)),
  }
  const { to, data } = await encodeBatch(given, batch)
  return await manager.send({ id, label: 'submitBatch', kind: 'plain', to, data })
}

test('a wrong parent is refused with the contract’s own error', async () => {
  const lane = deriver()
  await lane.catchUp(await head())
  const parent = { header: lane.history.genesis.header, headerHash: `0x${'11'.repeat(32)}` as Hex }
  await assert.rejects(
    submitBlobs('wrong', parent),
    (error) => isBackfeedError(error, 'L1_REVERTED') && error.message.includes('WrongParent'),
  )
})

test('batches and blobs come back from L1 alone as they were posted', async () => {
  const lane = deriver()
  assert.equal((await lane.catchUp(await head())).events[0]?.kind, 'opened')
  const headerHash = await submitBlobs('blobs', lane.history.tip)
  const { events } = await lane.catchUp(await head())
  assert.equal(events.length, 1)
  const batch = lane.history.batch(1n)
  assert.ok(batch !== undefined)
  assert.equal(batch.headerHash, headerHash)
  assert.deepEqual(batch.dataWords, sidecar.versionedHashes)
  assert.equal(batch.submittedAt, Number((await given.client.getBlock({ blockHash: batch.place.blockHash })).timestamp))

  const archive = openBlobArchive(join(directory, 'blobs'))
  const beacon = beaconSource(beaconConfigSchema.parse({ url: anvil.url, blockId: 'number' }))
  // A source that lies is not believed, and does not keep the next from being asked.
  const liar: BlobSource = { name: 'liar', fetch: async () => [new Uint8Array(BLOB_BYTES), new Uint8Array(5)] }
  await assert.rejects(
    fetchBatchData(
      { client: given.client, contracts: given.contracts, blobs: { archive, sources: [liar] } },
      batch,
      P256_LAYOUT,
    ),
    (error) => isBackfeedError(error, 'BLOB_UNAVAILABLE') && error.retryable,
  )
  // What cannot be kept is checked all the same: where the archive's folder should be lies a file.
  const notKept: string[] = []
  await writeFile(join(directory, 'file'), '')
  const full = openBlobArchive(join(directory, 'file', 'blobs'))
  const unkept = {
    archive: { ...full, get: async () => undefined },
    sources: [beacon],
    onNotKept: ({ code }: BackfeedError) => notKept.push(code),
  }
  const l1 = { client: given.client, contracts: given.contracts }
  assert.equal((await fetchBatchData({ ...l1, blobs: unkept }, batch, P256_LAYOUT)).chunks.length, CHUNKS)
  assert.deepEqual(new Set(notKept), new Set(['STORE_FAILED']))
  const sources = { archive, sources: [liar, beacon] }
  const data = await fetchBatchData(
    { client: given.client, contracts: given.contracts, blobs: sources },
    batch,
    P256_LAYOUT,
  )
  assert.equal(data.chunks.length, CHUNKS)
  for (const [k, chunk] of data.chunks.entries()) {
    assert.deepEqual(Buffer.from(chunk.preRoot), Buffer.from(chunkOf(k).preRoot), `preRoot ${k}`)
    assert.deepEqual(Buffer.from(chunk.body), Buffer.from(chunkOf(k).body), `body ${k}`)
  }
  // The archive alone now has them, until a byte of it flips.
  const alone = { client: given.client, contracts: given.contracts, blobs: { archive, sources: [] } }
  assert.deepEqual((await fetchBatchData(alone, batch, P256_LAYOUT)).blobs, data.blobs)
  const hash = batch.dataWords[0]!
  const path = join(directory, 'blobs', hash.slice(-2), `${hash.slice(2)}.blob`)
  const bytes = await readFile(path)
  bytes[1000]! ^= 1
  await writeFile(path, bytes)
  await assert.rejects(archive.get(hash), (error) => isBackfeedError(error, 'DATA_CORRUPTED'))
  await assert.rejects(fetchBatchData(alone, batch, P256_LAYOUT), (error) => isBackfeedError(error, 'BLOB_UNAVAILABLE'))
  assert.equal((await fetchBatchData({ ...alone, blobs: sources }, batch, P256_LAYOUT)).chunks.length, CHUNKS)
  assert.equal((await fetchBatchData(alone, batch, P256_LAYOUT)).chunks.length, CHUNKS)
})

test('calldata batches come back, with a short last chunk', async () => {
  const lane = deriver()
  await lane.catchUp(await head())
  const full = Buffer.concat([chunkOf(0).preRoot, chunkOf(0).body])
  const short = Buffer.concat([chunkOf(1).preRoot, chunkOf(1).body.subarray(0, 88)])
  assert.equal(full.length, P256_LAYOUT.chunkBytes)
  await submitCalldata('calldata', lane.history.tip, [full, short])
  await lane.catchUp(await head())
  const batch = lane.history.live.at(-1)!
  const settings = { client: given.client, contracts: given.contracts, blobs: { sources: [] } }
  const data = await fetchBatchData(settings, batch, P256_LAYOUT)
  assert.deepEqual(data.raw.map(toHex), [toHex(full), toHex(short)])
  assert.deepEqual(Buffer.from(data.chunks[1]!.body.subarray(0, 88)), Buffer.from(chunkOf(1).body.subarray(0, 88)))
  assert.ok(data.chunks[1]!.body.subarray(88).every((byte) => byte === 0))
  // Data that does not have the hashes that L1 recorded is not accepted.
  const forged = { ...batch, dataWords: [batch.dataWords[0]!, keccak256('0x00')] }
  await assert.rejects(fetchBatchData(settings, forged, P256_LAYOUT), (error) =>
    isBackfeedError(error, 'L1_INCONSISTENT'),
  )
})

test('a reorganisation takes its batches back', async () => {
  const lane = deriver()
  await lane.catchUp(await head())
  const { tip } = lane.history
  const snapshot = await anvil.snapshot()
  await anvil.setAutomine(true)
  const bytes = [Buffer.concat([chunkOf(3).preRoot])]
  await submitCalldata('lost', tip, bytes)
  await lane.catchUp(await head())
  assert.equal(lane.history.tip.header.index, tip.header.index + 1n)
  await manager.stop() // or it would put the batch back
  await anvil.revert(snapshot)
  await anvil.mine(5)
  const { rewoundTo } = await lane.catchUp(await head())
  assert.ok(rewoundTo !== undefined)
  assert.equal(lane.history.tip.headerHash, tip.headerHash)
})

test('slots are counted from the beacon chain’s genesis', () => {
  // Main net: the first slot after the merge, 4 700 013, had this time.
  assert.equal(slotAt(1_663_224_179, 1_606_824_023, 12), 4_700_013)
  assert.throws(() => slotAt(1_663_224_180, 1_606_824_023, 12), /no slot/)
  assert.throws(() => slotAt(1_600_000_000, 1_606_824_023, 12), /no slot/)
})
