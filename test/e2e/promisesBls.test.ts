import assert from 'node:assert/strict'
import { test } from 'node:test'
import { privateKeyToAccount } from 'viem/accounts'
import { openLaneReplay, type ReplayedChunk } from '../../bridge/laneReplay.ts'
import { findPromise, proveBrokenPromise } from '../../bridge/promise.ts'
import { createHttpClient } from '../../client/http.ts'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { SLASH_WEI } from '../../protocol/limits.ts'
import { parseReceiptJson, type ReceiptFile } from '../../protocol/receiptJson.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { startSequencer } from '../../sequencer/main.ts'
import { anvilPrivateKey, startAnvil } from '../support/anvil.ts'
import { summedBody } from '../support/evil/blsLies.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { postBatch } from '../support/evil/postBatch.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { verifierOf } from '../support/receipts.ts'
import { sequencerConfig } from '../support/sequencerFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const RECORDS = 6
const reporter = privateKeyToAccount(anvilPrivateKey(5))

/** Rows of a BLS lane, and the real receipts that a real sequencer gives for them. */
async function promised(lane: TestLane, folder: string): Promise<{ rows: Uint8Array[]; files: ReceiptFile[] }> {
  const rows = lane.fleet.rows(RECORDS)
  await using sequencer = await startSequencer(sequencerConfig(lane, { folder }))
  await using client = createHttpClient({ url: sequencer.url, receipts: await verifierOf(lane), timeoutMs: 60_000 })
  await client.submit({ lane: lane.lane, rows, layout: BLS_LAYOUT })
  const files: ReceiptFile[] = []
  for (let position = 0; position < RECORDS; position++) {
    const answer = await fetch(`${sequencer.url}/v1/lanes/${lane.lane}/records/${position}/receipt`)
    files.push(parseReceiptJson(await answer.text()))
  }
  const { rowBytes } = BLS_LAYOUT
  return { rows: files.map((_, i) => rows.subarray(i * rowBytes, (i + 1) * rowBytes)), files }
}

async function standing({ client, contracts, lane }: TestLane, file: ReceiptFile) {
  const replay = await openLaneReplay({ client, contracts, blobs: { sources: [] }, lane })
  return await findPromise(replay, file.receipt)
}

async function bondOf({ client, contracts, operator }: TestLane): Promise<bigint> {
  const call = { address: contracts.rollup, abi: rollupAbi, functionName: 'bondOf', args: [operator.address] } as const
  return (await client.readContract(call))[0]
}

test('a BLS lane’s promise is broken by another record, and by an aggregate that does not verify; a kept one never', {
  timeout: 600_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: RECORDS, periodsBehind: 100, layout: BLS_LAYOUT })
  const { rows, files } = await promised(lane, folder.path)
  const caller = { client: lane.client, account: reporter }
  const { promises } = lane.contracts
  const evil = new EvilLane(lane)
  const post = async (body: Uint8Array): Promise<void> => {
    const { built } = await evil.build([body])
    await postBatch(evil.poster, await evil.parent(), built, { mode: 'calldata' })
  }

  // Told apart from what follows by a snapshot: L1 is taken back to before each story.
  const before = await anvil.snapshot()
  const bond = await bondOf(lane)
  const [first, second, ...rest] = rows
  await post(summedBody([second!, first!, ...rest]))
  const swapped = await standing(lane, files[0]!)
  assert.ok(swapped.kind === 'broken' && swapped.evidence.spoiled === undefined)
  assert.equal((await standing(lane, files[2]!)).kind, 'kept')
  await proveBrokenPromise(caller, promises, files[0]!.receipt, swapped.evidence)
  assert.equal(bond - (await bondOf(lane)), SLASH_WEI)
  await anvil.revert(before)

  const again = await anvil.snapshot()
  evil.honest.length = 0
  await post(summedBody(rows, rows.slice(1)))
  const spoiled = await standing(lane, files[3]!)
  assert.ok(spoiled.kind === 'broken' && spoiled.evidence.spoiled !== undefined)
  const { gasUsed } = await proveBrokenPromise(caller, promises, files[3]!.receipt, spoiled.evidence)
  assert.equal(bond - (await bondOf(lane)), SLASH_WEI)
  assert.ok(gasUsed < 5_000_000n, `${gasUsed} gas`)
  await anvil.revert(again)

  evil.honest.length = 0
  await post(summedBody(rows))
  for (const file of files) assert.equal((await standing(lane, file)).kind, 'kept')
  // The witness of the story before serves as well here: the records and the state before them are the same.
  const honest = { ...spoiled.evidence, view: (await viewOf(lane))! }
  await assert.rejects(proveBrokenPromise(caller, promises, files[3]!.receipt, honest), /PromiseKept/)
  assert.equal(await bondOf(lane), bond)
})

/** The one chunk on L1. */
async function viewOf({ client, contracts, lane }: TestLane) {
  const replay = await openLaneReplay({ client, contracts, blobs: { sources: [] }, lane })

  let found: ReplayedChunk | undefined
  await replay.advanceTo(replay.tipIndex, {
    beforeChunk: (view) => {
      found = view
    },
  })
  return found
}
