import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseConfig } from '../../../runtime/config.ts'
import { type SequencerConfig, sequencerConfigSchema } from '../../../sequencer/config.ts'
import { type Sequencer, startSequencer } from '../../../sequencer/main.ts'
import { batchDataSchema, revertedDataSchema } from '../../../sequencer/webhooks/events.ts'
import { startAnvil } from '../../support/anvil.ts'
import { openTestLane, type TestLane } from '../../support/laneFixture.ts'
import { type SequencerChild, startSequencerChild } from '../../support/sequencerChild.ts'
import { sequencerConfig, sequencerSettings } from '../../support/sequencerFixture.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { untilWithin } from '../../support/until.ts'
import { secretFile, WebhookReceiver } from '../../support/webhookReceiver.ts'

const until = untilWithin(60)

function webhooksOf(receiver: WebhookReceiver, folder: string, more: Record<string, unknown> = {}) {
  const fast = { firstDelayMs: 10, maxDelayMs: 50 }
  return [{ name: 'clearing', url: receiver.url, secretFiles: [secretFile(folder)], ...fast, ...more }]
}

async function accept(sequencer: Sequencer, lane: TestLane, count: number): Promise<void> {
  const rows = lane.fleet.rows(count)
  const { refusal } = await sequencer.sink.submit({ lane: lane.lane, rows, count })
  assert.equal(refusal, undefined)
}

async function post(sequencer: Sequencer, lane: TestLane, count: number): Promise<void> {
  await accept(sequencer, lane, count)
  await sequencer.closeBatch(lane.lane)
  await lane.anvil.warp(120)
  await sequencer.idle(lane.lane, AbortSignal.timeout(60_000))
}

interface Status {
  readonly queued: number
  readonly lanes: readonly object[]
  readonly problems: readonly { readonly code: string }[]
}

/** As an operator asks for it. */
async function statusOf({ adminUrl }: Sequencer): Promise<Status> {
  const answer = (await (await fetch(`${adminUrl}/webhooks`)).json()) as { webhooks: Status[] }
  return answer.webhooks[0]!
}

const kinds = (receiver: WebhookReceiver): string[] =>
  receiver.events.map(({ type, data }) => `${type} ${Number(data.batch)}`)

test('each batch is told as posted and as final, once by id, with what it credits, though both sides stop in between', async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  const lane = await openTestLane({ anvil })
  const settings = { folder: folder.path }
  const config = { ...sequencerConfig(lane, settings), webhooks: [] as never[] }
  const withHooks = () => ({
    ...config,
    webhooks: parsedWebhooks(lane, settings.folder, webhooksOf(receiver, folder.path)),
  })
  {
    // Before anybody was to be told.
    await using sequencer = await startSequencer(config)
    await post(sequencer, lane, 5)
  }
  let credited = 0n
  {
    await using sequencer = await startSequencer(withHooks())
    const before = sequencer.queries.lane(lane.lane)!
    // The receiver is away: nothing is acknowledged.
    receiver.reply = () => 503
    await post(sequencer, lane, 30)
    const after = sequencer.queries.lane(lane.lane)!
    credited = after.spentMicro - before.spentMicro
    await until('a try without an answer', async () => (await statusOf(sequencer)).problems.length > 0)
    const webhook = await statusOf(sequencer)
    assert.equal(webhook.queued, 1)
    assert.deepEqual(webhook.lanes, [{ lane: lane.lane, toldPosted: 2, toldFinal: 0 }])
    assert.deepEqual(
      webhook.problems.map(({ code }) => code),
      ['WEBHOOK_UNREACHABLE'],
    )
    assert.deepEqual(sequencer.queries.problems(), [], 'a receiver’s fault is not the sequencer’s')
    const metrics = await (await fetch(`${sequencer.adminUrl}/metrics`)).text()
    assert.match(metrics, /backfeed_webhook_queued_events\{[^}]*webhook="clearing"[^}]*\} 1\n/)
  }
  receiver.reply = () => 204
  {
    await using sequencer = await startSequencer(withHooks())
    await post(sequencer, lane, 8)
    await until('both are told', () => receiver.events.length === 2)
    await anvil.warp(7 * 86_400 + 60)
    await anvil.mine(2)
    await until('finality', () => receiver.of('batch.final.v1').length === 3)
    // What was answered in the moment of a stop would be sent again.
    await until('its acknowledgement', async () => (await statusOf(sequencer)).queued === 0)
  }
  assert.deepEqual(
    kinds(receiver),
    ['posted 2', 'posted 3', 'final 1', 'final 2', 'final 3'].map((text) => `batch.${text.replace(' ', '.v1 ')}`),
  )
  const [posted] = receiver.of('batch.posted.v1')
  const data = batchDataSchema.parse(posted!.data)
  assert.equal(data.records, 30)
  assert.equal(data.settledRecords, 30)
  assert.equal(data.firstPosition, 5)
  assert.equal(BigInt(data.creditedMicro), credited)
  assert.ok(data.energyWh > 0)
  assert.deepEqual(batchDataSchema.parse(receiver.of('batch.final.v1')[1]!.data), data)
  const transaction = await lane.client.getTransactionReceipt({ hash: data.txHash as `0x${string}` })
  assert.deepEqual([transaction.blockHash, Number(transaction.blockNumber)], [data.blockHash, data.block])
  {
    // Nothing is told again.
    const tries = receiver.tries.length
    await using sequencer = await startSequencer(withHooks())
    await post(sequencer, lane, 3)
    await until('the next batch', () => receiver.of('batch.posted.v1').length === 3)
    assert.equal(receiver.tries.length, tries + 1)
  }
})

test('a batch that a reorganisation drops is told as reverted, and as posted again', async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  const lane = await openTestLane({ anvil })
  await anvil.mine(10)
  const config = sequencerConfig(lane, { folder: folder.path })
  const wary = { ...config.transactions, finality: { kind: 'depth', blocks: 8 } as const }
  const webhooks = parsedWebhooks(lane, folder.path, webhooksOf(receiver, folder.path))
  await using sequencer = await startSequencer({ ...config, transactions: wary, webhooks })
  await post(sequencer, lane, 30)
  await until('it to be told', () => receiver.events.length === 1)
  await anvil.reorg(1)
  await until('it to be told again', async () => {
    await anvil.mine(1)
    return receiver.of('batch.posted.v1').length === 2
  })
  assert.deepEqual(kinds(receiver), ['batch.posted.v1 1', 'batch.reverted.v1 1', 'batch.posted.v1 1'])
  const [first, reverted, again] = receiver.events
  const { reason, ...was } = revertedDataSchema.parse(reverted!.data)
  assert.equal(reason, 'REORGANISED')
  assert.deepEqual(was, first!.data)
  assert.equal(again!.data.headerHash, first!.data.headerHash)
  assert.notEqual(again!.data.blockHash, first!.data.blockHash)
})

test('a sequencer that is killed while events wait tells all of them afterwards, and a lost disk tells them under the same ids', {
  timeout: 180_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  const lane = await openTestLane({ anvil })
  const start = async (name: string, more: Record<string, unknown> = {}): Promise<SequencerChild> => {
    const path = join(folder.path, `${name}.json`)
    const settings = sequencerSettings(lane, { folder: folder.path, batch: { maxAgeSeconds: 1 } })
    const webhooks = webhooksOf(receiver, folder.path, { startAt: 'first', ...more })
    writeFileSync(path, JSON.stringify({ ...settings, dataFolder: join(folder.path, name), webhooks }))
    return await startSequencerChild(path)
  }
  const postedTo = async ({ url }: SequencerChild): Promise<number> => {
    const answer = (await (await fetch(`${url}/v1/lanes/${lane.lane}`)).json()) as { postedIndex: number }
    return answer.postedIndex
  }
  receiver.reply = () => 'HANG'
  {
    await using sequencer = await start('first')
    for (let batch = 1; batch <= 3; batch++) {
      const rows = lane.fleet.rows(7)
      const headers = { 'content-type': 'application/octet-stream' }
      const answer = await fetch(`${sequencer.url}/v1/lanes/${lane.lane}/records`, {
        method: 'POST',
        headers,
        body: Buffer.from(rows),
      })
      assert.equal(answer.status, 200)
      await until(`batch ${batch}`, async () => {
        await anvil.warp(70)
        return (await postedTo(sequencer)) === batch
      })
    }
    await until('a first try', () => receiver.tries.length > 0)
    sequencer.process.kill('SIGKILL')
  }
  receiver.reply = () => 200
  {
    await using _ = await start('first')
    await until('all three', () => receiver.of('batch.posted.v1').length === 3)
  }
  assert.deepEqual(
    kinds(receiver),
    [1, 2, 3].map((batch) => `batch.posted.v1 ${batch}`),
  )
  const ids = receiver.events.map(({ id }) => id)
  const taken = receiver.taken.length
  await using _ = await start('second')
  await until('all again', () => receiver.taken.length === taken + 3)
  assert.deepEqual(
    receiver.taken.slice(-3).map(({ id }) => id),
    ids,
  )
})

function parsedWebhooks(lane: TestLane, folder: string, webhooks: unknown) {
  return parseConfig(sequencerConfigSchema, { ...sequencerSettings(lane, { folder }), webhooks })
    .webhooks as SequencerConfig['webhooks']
}
