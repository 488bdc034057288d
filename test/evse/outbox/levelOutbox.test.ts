import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AnsweredRow, OutboxRow } from '../../../evse/outbox/outbox.ts'
import type { EdgeStore } from '../../../evse/store/edgeStore.ts'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { receiptHoldsRow } from '../../../protocol/receipt.ts'
import { receiptLeaves, ReceiptTree } from '../../../protocol/receiptTree.ts'
import { BackfeedError, isBackfeedError } from '../../../runtime/errors.ts'
import { fc } from '../../support/property.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { FIRST_INTERVAL, openBox, OWNER, unsignedRow } from '../support/edge.ts'

const code = (name: string) => (error: unknown) => isBackfeedError(error, name)
const settled = (row: OutboxRow, position = 7): AnsweredRow => ({
  ...row,
  answer: { code: Outcome.SETTLED, position, amountMicro: 1234 },
})
/** Bytes that one waiting row takes, as the box counts them. */
const ROW = 'box/w/00000000/00000000/00000000/0123456789abcdef'.length + 13 + 88 + 28

test('rows wait in the order of their spans, whatever order they came in, and are not taken twice', async () => {
  await using folder = await temporaryFolder()
  await using store = await openEdgeStore(folder.path, OWNER)
  const box = await openBox(store)
  const rows = [3, 1, 2, 1, 3].map((index) => unsignedRow(5, index))
  await Promise.all(rows.map((row) => box.put([row])))
  await box.put([unsignedRow(6, 1), unsignedRow(6, 1), unsignedRow(5, 2), unsignedRow(5, 1, 9)])
  const page = await box.page({ lane: 0, evse: 5 }, 10)
  assert.deepEqual(
    page.map(({ row }) => row),
    [1, 2, 3].map((index) => unsignedRow(5, index).row),
  )
  assert.equal((await box.page({ lane: 0, evse: 5 }, 2)).length, 2)
  assert.deepEqual(
    box.waiting().map(({ lane, evse, rows }) => ({ lane, evse, rows })),
    [
      { lane: 0, evse: 5, rows: 3 },
      { lane: 0, evse: 6, rows: 1 },
      { lane: 9, evse: 5, rows: 1 },
    ],
  )
  // Another signature over the same record is the same record.
  const again = { lane: 0, row: unsignedRow(5, 1).row.fill(9, 24) }
  await box.put([again])
  assert.equal(box.figures().waitingRows, 5)
  assert.equal(await box.find(0, again.row.subarray(0, 24)), 'WAITING')
  await assert.rejects(async () => box.put([{ lane: 0, row: new Uint8Array(87) }]), RangeError)
})

test('an answered row is kept with its receipt, told to listeners, and a repeat of it does not wait again', async () => {
  await using folder = await temporaryFolder()
  await using store = await openEdgeStore(folder.path, OWNER)
  const box = await openBox(store)
  const rows = [1, 2, 3].map((index) => unsignedRow(1, index))
  await box.put(rows)
  const bytes = Buffer.concat(rows.map(({ row }) => row))
  const tree = new ReceiptTree(receiptLeaves(bytes, 88))
  const receipt = {
    lane: 0,
    firstPosition: 40,
    count: 3,
    time: 1_900_000_000,
    root: tree.root,
    signature: new Uint8Array(65).fill(3),
    position: 41,
    row: rows[1]!.row,
    path: tree.path(1),
  }
  assert.ok(receiptHoldsRow(receipt))
  const told: AnsweredRow[] = []
  box.onAnswered(() => assert.fail('a listener that throws'))
  box.onAnswered((row) => told.push(row))
  const answer: AnsweredRow = { ...rows[1]!, answer: { code: Outcome.SETTLED, position: 41, amountMicro: 5, receipt } }
  await box.answer([answer, answer, settled(unsignedRow(77, 1))])
  assert.deepEqual(told, [answer])
  await box.put([rows[1]!])
  const found = await box.find(0, rows[1]!.row)
  assert.ok(found !== undefined && found !== 'WAITING')
  assert.deepEqual(found.answer, answer.answer)
  assert.deepEqual(
    (await box.page({ lane: 0, evse: 1 }, 9)).map(({ row }) => row),
    [rows[0]!.row, rows[2]!.row],
  )
})

test('the caller’s own write and the rows are one', async () => {
  await using folder = await temporaryFolder()
  await using store = await openEdgeStore(folder.path, OWNER)
  const box = await openBox(store, { maxBytes: ROW })
  await box.put([unsignedRow(1, 1)], [{ key: 'meter/1', value: new Uint8Array([1]) }])
  await assert.rejects(
    box.put([unsignedRow(1, 2)], [{ key: 'meter/1', value: new Uint8Array([2]) }]),
    code('OUTBOX_FULL'),
  )
  assert.deepEqual(await store.get('meter/1'), new Uint8Array([1]))
  // A repeat takes no room, and its write is done.
  await box.put([unsignedRow(1, 1)], [{ key: 'meter/1', value: new Uint8Array([3]) }])
  assert.deepEqual(await store.get('meter/1'), new Uint8Array([3]))
})

test('room is made by the oldest answered spans, and never by what waits', async () => {
  await using folder = await temporaryFolder()
  await using store = await openEdgeStore(folder.path, OWNER)
  const box = await openBox(store, { maxBytes: 5 * ROW })
  await box.put([1, 2, 3, 4].map((index) => unsignedRow(1, index)))
  await box.answer([settled(unsignedRow(1, 2)), settled(unsignedRow(1, 1))])
  // At the same time, so that both look for room.
  await Promise.all([box.put([unsignedRow(2, 8)]), box.put([unsignedRow(2, 9)])])
  assert.equal(await box.find(0, unsignedRow(1, 1).row), undefined, 'the oldest is dropped first')
  assert.ok(box.figures().bytes <= 5 * ROW)
  await box.put([unsignedRow(2, 10)])
  assert.deepEqual(box.figures().answeredRows, 0)
  await assert.rejects(box.put([unsignedRow(2, 11)]), code('OUTBOX_FULL'))
  assert.equal((await box.page({ lane: 0, evse: 1 }, 9)).length, 2)
  assert.equal((await box.page({ lane: 0, evse: 2 }, 9)).length, 3)
})

test('a write that fails leaves the box as it was', async () => {
  await using folder = await temporaryFolder()
  await using store = await openEdgeStore(folder.path, OWNER)
  let failing = false
  const flaky: EdgeStore = Object.create(store, {
    get: { value: store.get.bind(store) },
    entries: { value: store.entries.bind(store) },
    write: {
      value: (ops: Parameters<EdgeStore['write']>[0]) =>
        failing ? Promise.reject(new BackfeedError('STORE_FAILED', 'the disk is full')) : store.write(ops),
    },
  })
  const box = await openBox(flaky)
  await box.put([unsignedRow(1, 1), unsignedRow(1, 2)])
  failing = true
  await assert.rejects(box.put([unsignedRow(1, 3)]), code('STORE_FAILED'))
  await assert.rejects(box.answer([settled(unsignedRow(1, 1))]), code('STORE_FAILED'))
  failing = false
  await box.put([unsignedRow(1, 3)])
  assert.equal(box.figures().waitingRows, 3)
  assert.equal((await box.page({ lane: 0, evse: 1 }, 9)).length, 3)
})

test('any course of puts, answers and restarts ends as a plain list would', async () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ put: fc.array(fc.tuple(fc.nat(3), fc.nat(12)), { minLength: 1, maxLength: 4 }) }),
    },
    { weight: 4, arbitrary: fc.record({ answer: fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 4 })) }) },
    { weight: 1, arbitrary: fc.record({ reopen: fc.constant(true) }) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.integer({ min: 4, max: 30 }), async (steps, roomRows) => {
      await using folder = await temporaryFolder()
      let store = await openEdgeStore(folder.path, OWNER)
      let box = await openBox(store, { maxBytes: roomRows * ROW })
      const waiting = new Map<string, OutboxRow>()
      const everAnswered = new Set<string>()
      const name = (evse: number, index: number) => `${evse} ${String(index).padStart(2, '0')}`
      try {
        for (const each of steps) {
          if ('put' in each) {
            const rows = each.put.map(([evse, index]) => [name(evse, index), unsignedRow(evse, index)] as const)
            const kept = new Set<string>()
            for (const [key, row] of rows) if ((await box.find(0, row.row)) !== undefined) kept.add(key)
            try {
              await box.put(rows.map(([, row]) => row))
              for (const [key, row] of rows) if (!kept.has(key)) waiting.set(key, row)
            } catch (error) {
              assert.ok(isBackfeedError(error, 'OUTBOX_FULL'))
              const fresh = rows.filter(([key]) => !kept.has(key))
              assert.ok((waiting.size + new Set(fresh.map(([key]) => key)).size) * ROW > roomRows * ROW)
            }
          } else if ('answer' in each) {
            const page = await box.page({ lane: 0, evse: each.answer[0] }, each.answer[1])
            await box.answer(page.map((row) => settled(row)))
            for (const { row } of page) {
              const [key] = [...waiting].find(([, other]) => Buffer.compare(other.row, row) === 0)!
              waiting.delete(key)
              everAnswered.add(key)
            }
          } else {
            await store.close()
            store = await openEdgeStore(folder.path, OWNER)
            box = await openBox(store, { maxBytes: roomRows * ROW })
          }
          const { waitingRows, bytes, answeredRows } = box.figures()
          assert.equal(waitingRows, waiting.size)
          // The newest answers, larger than what waited, may go over it.
          assert.ok(bytes <= roomRows * ROW + 4 * 64)
          let kept = 0
          for await (const _ of box.answered()) kept++
          assert.equal(answeredRows, kept)
        }
        for (let evse = 0; evse < 4; evse++) {
          const expected = [...waiting]
            .filter(([key]) => key.startsWith(`${evse} `))
            .sort(([a], [b]) => (a < b ? -1 : 1))
          const page = await box.page({ lane: 0, evse }, 100)
          assert.deepEqual(
            page.map(({ row }) => row),
            expected.map(([, { row }]) => row),
          )
        }
      } finally {
        await store.close()
      }
    }),
    { numRuns: 30 },
  )
})

test('the oldest waiting age follows the answers', async () => {
  await using folder = await temporaryFolder()
  await using store = await openEdgeStore(folder.path, OWNER)
  const box = await openBox(store, { now: () => (FIRST_INTERVAL + 60 * 10) * 15_000 })
  assert.equal(box.figures().oldestWaitingSeconds, 0)
  await box.put([unsignedRow(1, 4), unsignedRow(1, 2), unsignedRow(2, 6)])
  assert.equal(box.figures().oldestWaitingSeconds, 7 * 900)
  await box.answer([settled(unsignedRow(1, 2))])
  assert.equal(box.figures().oldestWaitingSeconds, 5 * 900)
  await box.answer([settled(unsignedRow(1, 4))])
  assert.equal(box.figures().oldestWaitingSeconds, 3 * 900)
})
