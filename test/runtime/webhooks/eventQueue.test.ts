import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { EventQueue, type Waiting } from '../../../runtime/webhooks/eventQueue.ts'
import { type QueuedEvent, queuedEvent } from '../../../runtime/webhooks/event.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'

const OWNER = { chainId: 1, rollup: '0x1' }

const event = (n: number, subject = 'evse-1', size = 0): QueuedEvent =>
  queuedEvent({
    id: `evt_${n}`,
    type: n % 2 === 0 ? 'even.v1' : 'odd.v1',
    subject,
    atMs: n * 1_000,
    data: { fill: 'x'.repeat(size) },
  })

async function rig(maxBytes = 1_000_000) {
  const folder = await temporaryFolder()
  const gone: string[] = []
  const onDropped = ({ id }: Waiting): void => void gone.push(id)
  const open = async () => {
    const store = await openEdgeStore(folder.path, OWNER)
    const queue = new EventQueue({ store, name: 'billing', maxBytes, onDropped })
    await queue.load()
    const add = async (...events: QueuedEvent[]): Promise<void> => {
      const { ops, done } = queue.add(events)
      await store.write(ops)
      done()
    }
    return { store, queue, add }
  }
  return { folder, gone, open }
}

const all = (): boolean => false

test('events of one subject come one after another, and subjects take turns', async () => {
  const { folder, open } = await rig()
  await using _ = folder
  const { store, queue, add } = await open()
  await add(event(1, 'a'), event(2, 'a'), event(3, 'b'), event(4, 'b'))
  const first = queue.take(all)!
  const second = queue.take(all)!
  assert.deepEqual([first.id, second.id], ['evt_1', 'evt_3'])
  assert.equal(queue.take(all), undefined, 'the next of each waits for the one before')
  queue.giveBack(first)
  await queue.remove(second)
  assert.equal(queue.take((subject) => subject === 'a')!.id, 'evt_4', 'a is left alone')
  assert.equal(queue.take(all)!.id, 'evt_1', 'given back it is the first again')
  await store.close()
})

test('what waits is there after a restart, in its order, and what was acknowledged is not', async () => {
  const { folder, open } = await rig()
  await using _ = folder
  const before = await open()
  await before.add(event(1), event(2), event(3))
  const { bytes } = before.queue
  await before.queue.remove(before.queue.take(all)!)
  await before.store.close()
  const { store, queue, add } = await open()
  assert.equal(queue.count, 2)
  assert.ok(queue.bytes > 0 && queue.bytes < bytes)
  assert.equal(queue.oldestAtMs, 2_000)
  await add(event(4))
  const seen: string[] = []
  for (let next = queue.take(all); next !== undefined; next = queue.take(all)) {
    assert.deepEqual(await queue.read(next), event(Number(next.id.slice(4))))
    seen.push(next.id)
    await queue.remove(next)
  }
  assert.deepEqual(seen, ['evt_2', 'evt_3', 'evt_4'])
  assert.deepEqual([queue.count, queue.bytes, queue.oldestAtMs], [0, 0, undefined])
  await store.close()
})

test('a full queue drops the oldest that is not under way, and tells what, across a restart', async () => {
  const { folder, gone, open } = await rig(2_500)
  await using _ = folder
  const before = await open()
  await before.add(event(1, 'a', 600), event(2, 'b', 600))
  assert.equal(before.queue.take(all)!.id, 'evt_1')
  await before.add(event(3, 'b', 600))
  await before.add(event(4, 'b', 600))
  assert.deepEqual(gone, ['evt_2', 'evt_3'])
  await before.store.close()

  const { store, queue, add } = await open()
  const { event: told, told: tally } = queue.droppedEvent()!
  assert.equal(told.type, 'events.dropped.v1')
  const { data } = JSON.parse(told.body) as { data: Record<string, unknown> }
  const from = new Date(2_000).toISOString()
  assert.deepEqual(data, { count: 2, byType: { 'even.v1': 1, 'odd.v1': 1 }, from, to: new Date(3_000).toISOString() })
  assert.equal(queue.droppedEvent()!.event.id, told.id, 'the same at each try')
  await add(event(5, 'b', 600))
  await queue.toldDropped(tally)
  const next = queue.droppedEvent()!
  assert.notEqual(next.event.id, told.id)
  assert.deepEqual([next.told.count, next.told.byType], [1, { 'odd.v1': 1 }], 'what was dropped meanwhile is told next')
  await queue.toldDropped(next.told)
  assert.equal(queue.droppedEvent(), undefined)
  await store.close()
})
