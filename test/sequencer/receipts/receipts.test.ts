import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  microBatchDigest,
  type RangeReceipt,
  type Receipt,
  receiptDomain,
  receiptHoldsRow,
  receiptsOfRange,
  recoverReceiptSigner,
} from '../../../protocol/receipt.ts'
import { MAX_ANSWER_RECEIPTS } from '../../../protocol/receiptWire.ts'
import { DUPLICATE, readResult } from '../../../protocol/wire.ts'
import { acceptedRuns } from '../../../sequencer/receipts/acceptedRuns.ts'
import { keySigner } from '../../../sequencer/receipts/signer.ts'
import type { SequenceStage } from '../../../sequencer/sequence/stage.ts'
import type { Database } from '../../../sequencer/store/database.ts'
import { lastReceiptUpTo } from '../../../sequencer/store/receiptLog.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { ACTIVE_FROM, localFleet, NAME, OPERATOR, OPERATOR_KEY, openLocalLane } from '../localLane.ts'

const ROW = 88
const domain = receiptDomain(NAME.chainId, NAME.rollup)

async function submit(stage: SequenceStage, rows: Uint8Array, verdicts?: readonly number[]) {
  const count = rows.length / ROW
  const work = stage.enqueue(rows, count)
  work.verdicts.set(verdicts ?? Array(count).fill(1))
  work.verified()
  const answer = await work.answer
  if (answer.refusal !== undefined) throw new Error(`${answer.refusal.code}: ${answer.refusal.message}`)
  const results = Array.from({ length: count }, (_, i) => readResult(answer.results, i * 16))
  return { results, receipts: answer.receipts }
}

function assertSigned(receipt: Receipt | RangeReceipt): void {
  assert.equal(recoverReceiptSigner(microBatchDigest(domain, receipt), receipt.signature), OPERATOR.address)
}

/** Every accepted row has its place under one of the answer's receipts. */
function assertProven(rows: Uint8Array, answer: Awaited<ReturnType<typeof submit>>): void {
  const proven = new Set<number>()
  const rowAt = new Map(
    answer.results.flatMap(({ code, position }, i) => (code === 0 || code === DUPLICATE ? [[position, i]] : [])),
  )
  for (const range of answer.receipts) {
    const own = new Uint8Array(range.records * ROW)
    for (let i = 0; i < range.records; i++) {
      const row = rowAt.get(range.position + i)
      assert.ok(row !== undefined, `position ${range.position + i} was not asked for`)
      own.set(rows.subarray(row * ROW, (row + 1) * ROW), i * ROW)
      proven.add(range.position + i)
    }
    assert.ok(receiptsOfRange(range, own, ROW) !== undefined, 'range')
    assertSigned(range)
  }
  assert.deepEqual(
    [...rowAt.keys()].filter((position) => !proven.has(position)),
    [],
  )
}

test('runs of accepted positions', () => {
  const results = (list: readonly (readonly [number, number])[]): Uint8Array => {
    const bytes = new Uint8Array(list.length * 16)
    for (const [i, [code, position]] of list.entries()) {
      bytes[i * 16] = code
      bytes[i * 16 + 7] = position
    }
    return bytes
  }
  assert.deepEqual(
    acceptedRuns(
      results([
        [0, 5],
        [2, 0],
        [0, 6],
        [0, 7],
      ]),
    ),
    [{ position: 5, records: 3 }],
  )
  assert.deepEqual(
    acceptedRuns(
      results([
        [0, 9],
        [DUPLICATE, 2],
        [DUPLICATE, 3],
        [DUPLICATE, 2],
        [DUPLICATE, 8],
      ]),
    ),
    [
      { position: 2, records: 2 },
      { position: 8, records: 2 },
    ],
  )
  assert.deepEqual(
    acceptedRuns(
      results([
        [2, 0],
        [12, 0],
      ]),
    ),
    [],
  )
})

test('an answer proves the place of what was accepted, and promises nothing else', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  await using lane = await openLocalLane(folder.path, fleet.rules(ACTIVE_FROM), { maxBatchRows: 44 })
  const rows = fleet.rows(100)
  // Two bad signatures: no position, no promise. A hundred rows pass the end of two batches.
  const verdicts = Array.from({ length: 100 }, (_, i) => (i === 3 || i === 60 ? 0 : 1))
  const answer = await submit(lane.stage, rows, verdicts)
  assert.deepEqual(
    answer.receipts.map(({ records }) => records),
    [98],
  )
  assertProven(rows, answer)
  assert.equal(answer.receipts[0]!.time, lane.clock.seconds)
  assert.ok(lane.closed.length >= 2)

  const refused = await submit(lane.stage, fleet.rows(2), [0, 0])
  assert.deepEqual(refused.receipts, [])
})

test('requests under way together share signatures, and each gets its own range', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  await using lane = await openLocalLane(folder.path, fleet.rules(ACTIVE_FROM))
  const requests = Array.from({ length: 20 }, () => fleet.rows(7))
  const answers = await Promise.all(requests.map((rows) => submit(lane.stage, rows)))
  for (const [i, answer] of answers.entries()) {
    assert.equal(answer.receipts.length, 1)
    assertProven(requests[i]!, answer)
  }
  const signatures = new Set(answers.map(({ receipts }) => Buffer.from(receipts[0]!.signature).toString('hex')))
  assert.ok(signatures.size < 20, `${signatures.size} signatures`)
})

test('a duplicate brings the receipt of its first acceptance, also after a restart', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const rows = fleet.rows(40)
  let given: RangeReceipt
  {
    await using lane = await openLocalLane(folder.path, rules)
    given = (await submit(lane.stage, rows)).receipts[0]!
    const again = await submit(lane.stage, rows)
    assert.deepEqual(again.receipts, [given])
    assert.ok(again.results.every(({ code }) => code === DUPLICATE))
  }
  await using lane = await openLocalLane(folder.path, rules)
  lane.clock.seconds += 50
  const mixed = Buffer.concat([rows.subarray(10 * ROW, 15 * ROW), fleet.rows(3)])
  const answer = await submit(lane.stage, mixed)
  assertProven(mixed, answer)
  assert.deepEqual(
    answer.receipts.map(({ time, records }) => [time, records]),
    [
      [given.time, 5],
      [given.time + 50, 3],
    ],
  )
  const receipt = await lane.receipts.receipt(given.position + 12)
  assert.ok(receipt !== undefined && receiptHoldsRow(receipt))
  assert.deepEqual(Buffer.from(receipt.signature), Buffer.from(given.signature))
  assert.deepEqual(Buffer.from(receipt.row), Buffer.from(rows.slice(12 * ROW, 13 * ROW)))
  assert.equal(await lane.receipts.receipt(43), undefined)
})

test('of duplicates from many micro-batches an answer brings a few receipts', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  await using lane = await openLocalLane(folder.path, fleet.rules(ACTIVE_FROM))
  const single = Array.from({ length: 2 * MAX_ANSWER_RECEIPTS }, () => fleet.rows(1))
  for (const row of single) await submit(lane.stage, row)
  const all = await submit(lane.stage, Buffer.concat(single))
  assert.equal(all.receipts.length, MAX_ANSWER_RECEIPTS)
  const some = Buffer.concat(single.slice(-MAX_ANSWER_RECEIPTS))
  assertProven(some, await submit(lane.stage, some))
})

test('redating changes neither positions nor receipts', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  await using lane = await openLocalLane(folder.path, fleet.rules(ACTIVE_FROM), { maxBatchRows: 44 })
  const rows = fleet.rows(100)
  const [given] = (await submit(lane.stage, rows)).receipts
  lane.clock.seconds += 20_000
  lane.view.finalTime += 20_000
  assert.ok(await lane.stage.redate(1))
  assert.deepEqual((await submit(lane.stage, rows)).receipts, [given])
  const receipt = (await lane.receipts.receipt(77))!
  assert.deepEqual(Buffer.from(receipt.row), Buffer.from(rows.slice(77 * ROW, 78 * ROW)))
  assert.ok(receiptHoldsRow(receipt))
  const next = fleet.rows(3)
  const answer = await submit(lane.stage, next)
  assertProven(next, answer)
  assert.equal(answer.receipts[0]!.position, 100)
})

test('what is durable and unsigned when the process ends is signed at the next start, at the same positions', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const rows = fleet.rows(30)
  const lost = fleet.rows(25)
  {
    const works = await keySigner(OPERATOR_KEY)
    let signatures = 0
    const signer = {
      ...works,
      sign: async (digest: Uint8Array) => {
        if (signatures++ > 0) throw new Error('the key is gone')
        return await works.sign(digest)
      },
    }
    await using lane = await openLocalLane(folder.path, rules, { signer })
    await submit(lane.stage, rows)
    // Durable, and not answered: nobody has a promise, and the sequencer stops.
    await assert.rejects(submit(lane.stage, lost), /NOT_ACCEPTING/)
    assert.equal(lane.faults.length, 1)
    await assert.rejects(submit(lane.stage, fleet.rows(1)), /NOT_ACCEPTING/)
  }
  await using lane = await openLocalLane(folder.path, rules)
  assert.equal(lane.stage.book.state.position, 55)
  const last = await lastReceiptUpTo(lane.database, 0, 1_000)
  assert.deepEqual([last?.firstPosition, last?.count], [30, 25])
  const again = await submit(lane.stage, lost)
  assertProven(lost, again)
  assert.ok(again.results.every(({ code, position }, i) => code === DUPLICATE && position === 30 + i))
})

test('signatures that cannot be stored at once are stored later', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const failing = { left: 1 }
  const wrap = (database: Database): Database => ({
    folder: database.folder,
    get: (key) => database.get(key),
    getMany: (keys) => database.getMany(keys),
    entries: (from, to, reverse) => database.entries(from, to, reverse),
    reopen: () => database.reopen(),
    close: () => database.close(),
    write: (operations) => database.write(operations),
    note: async (operations) => {
      if (failing.left-- > 0) throw new Error('no space left on device')
      await database.note(operations)
    },
  })
  await using lane = await openLocalLane(folder.path, rules, { wrap })
  const rows = fleet.rows(5)
  assertProven(rows, await submit(lane.stage, rows))
  assert.equal(await lastReceiptUpTo(lane.database, 0, 1_000), undefined)
  await submit(lane.stage, fleet.rows(5))
  assert.equal((await lastReceiptUpTo(lane.database, 0, 4))?.firstPosition, 0)
  assert.equal((await lastReceiptUpTo(lane.database, 0, 1_000))?.firstPosition, 5)
})
