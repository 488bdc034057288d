import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { webhookSchema } from '../../../runtime/webhooks/config.ts'
import { queuedEvent } from '../../../runtime/webhooks/event.ts'
import { EventQueue } from '../../../runtime/webhooks/eventQueue.ts'
import { webhookMetrics } from '../../../runtime/webhooks/metrics.ts'
import { parseSecret } from '../../../runtime/webhooks/signature.ts'
import { Subscriber } from '../../../runtime/webhooks/subscriber.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { until } from '../../support/until.ts'
import { WEBHOOK_SECRET, WebhookReceiver } from '../../support/webhookReceiver.ts'

test('pauses double by the clock, with chance added; Retry-After is waited for; an acknowledgement ends it', async () => {
  await using folder = await temporaryFolder()
  await using receiver = await WebhookReceiver.start()
  await using store = await openEdgeStore(folder.path, { chainId: 1, rollup: '0x1' })
  const metrics = createMetrics({ service: 'test', process: false })
  const queue = new EventQueue({ store, name: 'billing', maxBytes: 1_000_000, onDropped: () => {} })
  /** What is sent is taken from the queue first, at once. */
  let sent = 0
  const take = queue.take.bind(queue)
  queue.take = (leaveAlone) => {
    const event = take(leaveAlone)
    if (event !== undefined) sent++
    return event
  }
  let nowMs = 0
  let chance = 0
  const subscriber = new Subscriber({
    config: webhookSchema(['a.v1']).parse({
      name: 'billing',
      url: receiver.url,
      secretFiles: ['none'],
      firstDelayMs: 1_000,
      maxDelayMs: 3_000,
    }),
    secrets: { signing: [parseSecret(WEBHOOK_SECRET)!], authToken: undefined },
    queue,
    now: Date.now,
    monotonicMs: () => nowMs,
    random: () => chance,
    log: silentLogger(),
    metrics: webhookMetrics(metrics),
  })
  await using _ = { [Symbol.asyncDispose]: () => subscriber.stop() }
  const events = ['a', 'b', 'c', 'd', 'e', 'f'].map((subject) =>
    queuedEvent({ id: `evt_${subject}`, type: 'a.v1', subject, atMs: 0, data: {} }),
  )
  const { ops, done } = queue.add(events)
  await store.write(ops)
  done()
  const judged = async (): Promise<number> =>
    Number(/webhook_failed_total\{[^}]*outcome="FAILED"[^}]*\} (\d+)/.exec(await metrics.text())?.[1] ?? 0)
  receiver.reply = () => 500
  subscriber.start()
  assert.equal(sent, 4, 'so many at once while nothing speaks against it')
  await until(async () => (await judged()) === 4)
  /** Nothing is sent before this moment, and one event is then. */
  const nextAt = async (ms: number): Promise<void> => {
    const before = sent
    nowMs = ms - 1
    subscriber.wake()
    assert.equal(sent, before, `nothing before ${ms} ms`)
    nowMs = ms
    subscriber.wake()
    assert.equal(sent, before + 1, `one at ${ms} ms`)
    await until(async () => (await judged()) === before + 1)
  }
  await nextAt(1_000)
  await nextAt(1_000 + 2_000)
  chance = 1
  await nextAt(3_000 + 3_000)
  receiver.reply = () => ({ status: 503, headers: { 'retry-after': '60' } })
  chance = 0
  await nextAt(6_000 + 4_500)
  receiver.reply = () => 200
  nowMs = 10_500 + 59_999
  subscriber.wake()
  assert.equal(sent, 8)
  nowMs++
  subscriber.wake()
  await until(() => queue.count === 0)
  assert.deepEqual(subscriber.problems(), [])
  assert.equal(receiver.taken.length, events.length)
})
