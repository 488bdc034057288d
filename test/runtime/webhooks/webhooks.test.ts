import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { parseConfig } from '../../../runtime/config.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { webhookSchema, webhooksSchema } from '../../../runtime/webhooks/config.ts'
import { openWebhooks } from '../../../runtime/webhooks/webhooks.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { until } from '../../support/until.ts'
import { type Delivery, secretFile, WebhookReceiver } from '../../support/webhookReceiver.ts'

const schema = webhooksSchema(webhookSchema(['thing.done.v1', 'thing.undone.v1']))
const OWNER = { chainId: 1, rollup: '0x1' }

interface RigOptions {
  readonly url: string
  readonly folder: string
  readonly more?: Record<string, unknown>
  /** Default true. */
  readonly isStarted?: boolean
}

async function rig({ url, folder, more = {}, isStarted = true }: RigOptions) {
  const store = await openEdgeStore(join(folder, 'store'), OWNER)
  const fast = { firstDelayMs: 10, maxDelayMs: 40, timeoutMs: 2_000 }
  const opening = openWebhooks({
    webhooks: parseConfig(schema, [{ name: 'billing', url, secretFiles: [secretFile(folder)], ...fast, ...more }]),
    store,
    random: () => 0,
    log: silentLogger(),
    metrics: createMetrics({ service: 'test', process: false }),
  })
  opening.catch(() => store.close())
  const webhooks = await opening
  const tell = async (id: string, subject = 'a', type = 'thing.done.v1'): Promise<void> => {
    const { ops, done } = webhooks.publish([{ id, type, subject, atMs: Date.now(), data: { id } }])
    await store.write(ops)
    done()
  }
  const codes = (): string[] => webhooks.status()[0]!.problems.map(({ code }) => code)
  const queued = (): number => webhooks.status()[0]!.queued
  if (isStarted) webhooks.start()
  const close = async (): Promise<void> => {
    await webhooks.stop()
    await store.close()
  }
  const write = (ops: Parameters<typeof store.write>[0]): Promise<void> => store.write(ops)
  return { webhooks, tell, write, codes, queued, close, [Symbol.asyncDispose]: close }
}

const ids = (deliveries: readonly Delivery[]): string[] => deliveries.map(({ id }) => id)

test('events arrive signed, in order, once acknowledged never again', async () => {
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  writeFileSync(join(folder.path, 'token'), 'sesame\n', { mode: 0o600 })
  const more = { authTokenFile: join(folder.path, 'token'), events: ['thing.done.v1'] }
  await using told = await rig({ url: receiver.url, folder: folder.path, more })
  for (let i = 0; i < 20; i++) await told.tell(`e${i}`)
  await told.tell('unwanted', 'a', 'thing.undone.v1')
  await until(() => told.queued() === 0)
  assert.deepEqual(
    ids(receiver.tries),
    Array.from({ length: 20 }, (_, i) => `e${i}`),
  )
  assert.deepEqual(told.codes(), [])
  const [first] = receiver.taken
  assert.equal(first!.headers.authorization, 'Bearer sesame')
  assert.equal(first!.headers['content-type'], 'application/json')
  assert.deepEqual(Object.keys(JSON.parse(first!.body)), ['id', 'type', 'timestamp', 'data'])
  assert.ok(told.webhooks.status()[0]!.lastAcknowledged)
})

test('a receiver that hangs, cuts, answers 500 or 429 gets everything in order when it is well again, by the same ids', async () => {
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  await using told = await rig({ url: receiver.url, folder: folder.path, more: { timeoutMs: 50 } })
  const replies = ['HANG', 'CUT', 500, { status: 429, headers: { 'retry-after': '0' } }, 503] as const
  let tries = 0
  receiver.reply = () => replies[tries++] ?? 200
  for (const id of ['e0', 'e1', 'e2']) await told.tell(id)
  await until(() => told.codes().includes('WEBHOOK_UNREACHABLE'))
  await until(() => told.queued() === 0)
  assert.deepEqual(ids(receiver.tries), ['e0', 'e0', 'e0', 'e0', 'e0', 'e0', 'e1', 'e2'])
  assert.deepEqual(ids(receiver.taken), ['e0', 'e1', 'e2'])
  assert.equal(new Set(receiver.tries.slice(0, 6).map(({ body }) => body)).size, 1, 'the same body at each try')
  assert.deepEqual(told.codes(), [])
})

test('an event that is refused keeps its subject waiting, and no other; it is shown, kept, and tried again', async () => {
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  await using told = await rig({ url: receiver.url, folder: folder.path })
  receiver.reply = ({ id }) => (id === 'bad' ? 422 : 200)
  await told.tell('bad', 'a')
  await told.tell('after', 'a')
  for (let i = 0; i < 5; i++) await told.tell(`b${i}`, 'b')
  await until(() => receiver.taken.length === 5 && receiver.tries.filter(({ id }) => id === 'bad').length >= 2)
  assert.deepEqual(ids(receiver.taken), ['b0', 'b1', 'b2', 'b3', 'b4'])
  await until(() => told.queued() === 2)
  assert.deepEqual(told.codes(), ['WEBHOOK_REFUSED'])
  receiver.reply = () => 200
  await until(() => told.queued() === 0)
  assert.deepEqual(ids(receiver.taken).slice(-2), ['bad', 'after'])
  assert.deepEqual(told.codes(), [])
})

test('redirects are not followed, and a receiver that wants nothing is asked slowly', async () => {
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  await using elsewhere = await WebhookReceiver.start()
  await using told = await rig({ url: receiver.url, folder: folder.path })
  receiver.reply = () => ({ status: 307, headers: { location: elsewhere.url } })
  await told.tell('e0', 'a')
  await told.tell('e1', 'b')
  await until(() => receiver.tries.length >= 3)
  assert.deepEqual(told.codes(), ['WEBHOOK_REFUSED'])
  assert.equal(elsewhere.tries.length, 0)
  receiver.reply = () => 401
  await until(() => receiver.tries.length >= 5)
  receiver.reply = () => 200
  await until(() => told.queued() === 0)
  assert.deepEqual(told.codes(), [])
})

test('410 ends all until the next start, and loses nothing', async () => {
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  receiver.reply = () => 410
  {
    await using told = await rig({ url: receiver.url, folder: folder.path })
    await told.tell('e0')
    await until(() => told.codes().includes('WEBHOOK_GONE'))
    await told.tell('e1', 'b')
    assert.equal(receiver.tries.length, 1)
    assert.equal(told.queued(), 2)
  }
  receiver.reply = () => 200
  await using told = await rig({ url: receiver.url, folder: folder.path })
  await until(() => told.queued() === 0)
  assert.deepEqual(new Set(ids(receiver.taken)), new Set(['e0', 'e1']))
})

test('what was not acknowledged when the process stopped is sent by the next, in order', async () => {
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  receiver.reply = ({ id }) => (id === 'e0' ? 200 : 'HANG')
  {
    await using told = await rig({ url: receiver.url, folder: folder.path, more: { timeoutMs: 30_000 } })
    for (let i = 0; i < 4; i++) await told.tell(`e${i}`)
    await until(() => receiver.tries.length === 2)
  }
  receiver.reply = () => 200
  await using told = await rig({ url: receiver.url, folder: folder.path })
  await told.tell('e4')
  await until(() => told.queued() === 0)
  assert.deepEqual(ids(receiver.taken), ['e0', 'e1', 'e2', 'e3', 'e4'])
})

test('what a full queue dropped is told before all else', async () => {
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  const more = { maxBytes: 1_048_576 }
  await using told = await rig({ url: receiver.url, folder: folder.path, more, isStarted: false })
  await told.tell('first')
  const big = { type: 'thing.done.v1', atMs: 1_000, data: { fill: 'x'.repeat(400_000) } }
  for (const [i, subject] of ['a', 'b', 'c', 'd'].entries()) {
    const { ops, done } = told.webhooks.publish([{ ...big, id: `big${i}`, subject }])
    await told.write(ops)
    done()
  }
  assert.deepEqual(told.codes(), ['WEBHOOK_DROPPED'])
  let tries = 0
  receiver.reply = () => (tries++ === 0 ? 500 : 200)
  told.webhooks.start()
  await until(() => told.queued() === 0)
  const [dropped, ...rest] = receiver.taken
  assert.equal(dropped!.type, 'events.dropped.v1')
  assert.deepEqual(dropped!.data.byType, { 'thing.done.v1': 3 })
  assert.deepEqual(new Set(ids(rest)), new Set(['big2', 'big3']))
  assert.equal(receiver.tries.filter(({ type }) => type === 'events.dropped.v1').length, 2)
  assert.deepEqual(told.codes(), [])
})

test('a wrong configuration is named by its key', async () => {
  await using folder = await temporaryFolder()
  const good = { name: 'billing', url: 'https://utility.example/settle', secretFiles: ['s'] }
  parseConfig(schema, [good, { ...good, name: 'other', url: 'http://127.0.0.1:80/' }])
  for (const [change, message] of [
    [{ url: 'http://utility.example/' }, /0\.url: must be https/],
    [{ url: 'http://127.0.0.1.example/' }, /0\.url: must be https/],
    [{ url: 'ftp://utility.example/' }, /0\.url: must be https/],
    [{ url: 'https://user:word@utility.example/' }, /0\.url: must not hold a password/],
    [{ url: 'nowhere' }, /0\.url: is no URL/],
    [{ events: ['thing.done'] }, /0\.events\.0/],
    [{ secretFiles: [] }, /0\.secretFiles/],
    [{ secret: 'whsec_x' }, /secret: unknown key/],
    [{ name: 'Billing Office' }, /0\.name/],
  ] as const) {
    assert.throws(() => parseConfig(schema, [{ ...good, ...change }]), message)
  }
  assert.throws(() => parseConfig(schema, [good, good]), /1\.name: billing is there twice/)

  const open = (secretFiles: string[]) => rig({ url: good.url, folder: folder.path, more: { secretFiles } })
  writeFileSync(join(folder.path, 'open'), 'whsec_x', { mode: 0o644 })
  writeFileSync(join(folder.path, 'short'), 'whsec_c2hvcnQ=', { mode: 0o600 })
  const named =
    (code: string, reason?: string) => (error: { code: string; message: string; details: { reason?: string } }) =>
      error.code === code &&
      error.details.reason === reason &&
      error.message.startsWith('webhooks (billing).secretFiles[0]')
  await assert.rejects(open([join(folder.path, 'open')]), named('ERR_AUTH_EXPIRED', 'PERMISSIONS'))
  await assert.rejects(open([join(folder.path, 'short')]), named('WEBHOOK_SECRET_UNREADABLE'))
  await assert.rejects(open([join(folder.path, 'none')]), named('WEBHOOK_SECRET_UNREADABLE'))
})
