import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type TransactionRow, TransactionStore } from '../../../gateway/ocpp/transactionStore.ts'
import { MemoryStore } from './fixture.ts'

const row = (transaction: string, more: Partial<TransactionRow> = {}): TransactionRow => ({
  station: 'CS/1',
  transaction,
  evseId: 1,
  early: [],
  ended: false,
  beganMs: 0,
  touchedMs: 0,
  ...more,
})

async function open(store: MemoryStore, now = () => 1_000): Promise<TransactionStore> {
  const transactions = new TransactionStore(store, now)
  await transactions.load()
  return transactions
}

test('what was put is there after a restart, whatever its name', async () => {
  const store = new MemoryStore()
  const first = await open(store)
  const names = ['plain', 'with/slash', 'with space', '*'.repeat(36), '日'.repeat(36)]
  for (const name of names) await first.put(row(name, { token: 'T' }), { evse: 'evse 1', milliWh: 5 })
  for (const key of store.values.keys()) assert.match(key, /^[\x21-\x7e]{1,256}$/)
  const again = await open(store)
  for (const name of names)
    assert.deepEqual(again.get('CS/1', name), { ...row(name, { token: 'T' }), touchedMs: 1_000 })
  assert.equal(again.totalMilliWh('evse 1'), 5)
  assert.equal(again.get('CS', 'plain'), undefined)
})

test('beyond the limit the oldest goes, first of those that have ended', async () => {
  const store = new MemoryStore()
  let nowMs = 0
  const transactions = await open(store, () => ++nowMs)
  for (let i = 0; i < 256; i++) await transactions.put(row(`t${i}`, { ended: i === 3 || i === 9 }))
  await transactions.put(row('t9', { ended: true })) // the newest now, but over
  for (const [added, gone] of [
    ['a', 't3'],
    ['b', 't9'],
    ['c', 't0'],
  ] as const) {
    await transactions.put(row(added))
    assert.equal(transactions.get('CS/1', gone), undefined)
    assert.equal(store.values.size, 256)
  }
})

test('ids of OCPP 1.6 are new after a restart, after a lost disk, and after a clock that went back', async () => {
  const store = new MemoryStore()
  let nowMs = 1_790_000_000_000
  const { transaction: _, ...fresh } = row('')
  const ids: number[] = []
  const create = async (transactions: TransactionStore): Promise<void> => {
    ids.push(Number((await transactions.create16(fresh)).transaction))
  }
  const first = await open(store, () => nowMs)
  for (let i = 0; i < 3; i++) await create(first)
  nowMs -= 86_400_000
  await create(await open(store, () => nowMs))
  nowMs += 2 * 86_400_000
  await create(await open(new MemoryStore(), () => nowMs))
  assert.deepEqual(
    ids,
    [...ids].sort((a, b) => a - b),
  )
  assert.equal(new Set(ids).size, 5)
  assert.ok(ids.every((id) => id > 0 && id < 2 ** 31))
})

test('a write that fails leaves everything as it was', async () => {
  const store = new MemoryStore()
  const transactions = await open(store)
  store.failing = true
  await assert.rejects(transactions.put(row('t'), { evse: 'e', milliWh: 5 }), { code: 'STORE_FAILED' })
  assert.equal(transactions.get('CS/1', 't'), undefined)
  assert.equal(transactions.totalMilliWh('e'), 0)
})

test('what cannot be read stops the start', async () => {
  const store = new MemoryStore()
  store.values.set('ocpp/tx/CS1/t', Buffer.from('{}'))
  await assert.rejects(open(store), { code: 'DATA_CORRUPTED' })
  store.values.clear()
  store.values.set('ocpp/interval/e', Buffer.from('x'))
  await assert.rejects(open(store), { code: 'DATA_CORRUPTED' })
})
