import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createHttpClient } from '../../../client/http.ts'
import type { RecordClient } from '../../../client/recordClient.ts'
import { deliveryConfigSchema } from '../../../evse/delivery/config.ts'
import { Delivery } from '../../../evse/delivery/delivery.ts'
import { EVSE_OUTBOX_BYTES, WAITING_ROW_BYTES } from '../../../evse/limits.ts'
import type { LevelOutbox } from '../../../evse/outbox/levelOutbox.ts'
import type { OutboxRow } from '../../../evse/outbox/outbox.ts'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { resultName } from '../../../protocol/wire.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { startSequencer } from '../../../sequencer/main.ts'
import { startAnvil } from '../../support/anvil.ts'
import { openTestLane } from '../../support/laneFixture.ts'
import { verifierOf } from '../../support/receipts.ts'
import { sequencerConfig } from '../../support/sequencerFixture.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { metrics, openBox, OWNER, unsignedRow } from '../support/edge.ts'
import { ModelSequencer } from '../support/modelSequencer.ts'

const MONTH = 2_880
const YEAR = 35_040

/** Delivers all that waits; returns the results in their order. */
async function deliverAll(box: LevelOutbox, client: RecordClient, lane = 0): Promise<string[]> {
  const results: string[] = []
  const waiting = box.figures().waitingRows
  const done = Promise.withResolvers<void>()
  box.onAnswered(({ answer }) => {
    if (results.push(resultName(answer.code)) === waiting) done.resolve()
  })
  const delivery = new Delivery({
    outbox: box,
    clients: new Map([[lane, [client]]]),
    config: deliveryConfigSchema.parse({}),
    now: Date.now,
    monotonicMs: () => performance.now(),
    log: silentLogger(),
    metrics: metrics(),
  })
  delivery.start()
  await done.promise
  await delivery.stop()
  return results
}

test('a month offline: 2 880 records go to the sequencer in order, and each has its receipt', {
  timeout: 600_000,
}, async (t) => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const lane = await openTestLane({ anvil, evses: 1, periodsBehind: MONTH / 60 + 2 })
  await using sequencer = await startSequencer(sequencerConfig(lane, { folder: folder.path }))
  const rows = Array.from({ length: MONTH }, () => ({ lane: lane.lane, row: lane.fleet.sign(lane.fleet.next(0)) }))
  {
    await using store = await openEdgeStore(join(folder.path, 'edge'), OWNER)
    const box = await openBox(store, { maxBytes: EVSE_OUTBOX_BYTES })
    for (const row of rows) await box.put([row])
  }
  await using store = await openEdgeStore(join(folder.path, 'edge'), OWNER)
  const box = await openBox(store, { maxBytes: EVSE_OUTBOX_BYTES })
  await using client = createHttpClient({
    url: sequencer.url,
    receipts: await verifierOf(lane),
    retry: { attempts: 1 },
  })
  const started = performance.now()
  const results = await deliverAll(box, client, lane.lane)
  t.diagnostic(`${MONTH} records in ${Math.round(performance.now() - started)} ms`)
  assert.deepEqual(results, Array(MONTH).fill('SETTLED'))
  let next = 0
  for await (const { row, answer } of box.answered()) {
    assert.deepEqual(row, rows[next]!.row)
    assert.equal(answer.position, next)
    assert.equal(answer.receipt?.position, next)
    next++
  }
  assert.equal(next, MONTH)
})

test('a year offline fits the default outbox, on disk and in memory, and goes out in order', {
  timeout: 600_000,
}, async (t) => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'edge')
  let store = await openEdgeStore(path, OWNER)
  let box = await openBox(store, { maxBytes: EVSE_OUTBOX_BYTES })
  for (let from = 0; from < YEAR; from += 96) {
    const rows: OutboxRow[] = Array.from({ length: Math.min(96, YEAR - from) }, (_, i) => unsignedRow(1, from + i))
    await box.put(rows)
  }
  assert.ok(box.figures().bytes <= YEAR * WAITING_ROW_BYTES, `${box.figures().bytes} bytes`)
  await store.close()
  assert.ok(folderBytes(path) < 2 * EVSE_OUTBOX_BYTES)
  const opening = performance.now()
  store = await openEdgeStore(path, OWNER)
  box = await openBox(store, { maxBytes: EVSE_OUTBOX_BYTES })
  t.diagnostic(`opened in ${Math.round(performance.now() - opening)} ms, ${folderBytes(path)} bytes on disk`)
  assert.equal(box.figures().waitingRows, YEAR)
  const model = new ModelSequencer()
  const started = performance.now()
  const results = await deliverAll(box, model.client())
  t.diagnostic(`${YEAR} records in ${Math.round(performance.now() - started)} ms, ${model.requests.length} requests`)
  assert.ok(results.every((name) => name === 'SETTLED'))
  assert.ok(model.requests.length <= Math.ceil(YEAR / 1_024) + 1)
  await store.close()
  assert.ok(folderBytes(path) < 2 * EVSE_OUTBOX_BYTES)
})

test('a small outbox over a year: the oldest answered go, nothing unanswered does', { timeout: 600_000 }, async () => {
  await using folder = await temporaryFolder()
  await using store = await openEdgeStore(folder.path, OWNER)
  const maxBytes = 1_000_000
  const box = await openBox(store, { maxBytes })
  const model = new ModelSequencer()
  for (let from = 0; from < 10_000; from += 2_000) {
    await box.put(Array.from({ length: 2_000 }, (_, i) => unsignedRow(1, from + i)))
    await deliverAll(box, model.client())
    assert.ok(box.figures().bytes <= maxBytes + 1_024 * 400, `${box.figures().bytes} bytes`)
  }
  assert.equal(model.settled.length, 10_000)
  assert.equal(await box.find(0, unsignedRow(1, 0).row), undefined)
  assert.notEqual(await box.find(0, unsignedRow(1, 9_999).row), undefined)
})

function folderBytes(path: string): number {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}
