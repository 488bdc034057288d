import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LaneState } from '../../../protocol/laneState.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { Settlement } from '../../../protocol/settlement.ts'
import type { SequenceStage } from '../../../sequencer/sequence/stage.ts'
import type { Database, WriteOperation } from '../../../sequencer/store/database.ts'
import { readBatchRows, settleBatch } from '../../../sequencer/settleBatch.ts'
import { DUPLICATE } from '../../../sequencer/submission.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { ACTIVE_FROM, hex, localFleet, openLocalLane, sequence, T0 } from '../localLane.ts'
import { rootsOf } from '../support/roots.ts'

test('accepts in order, says what fails, and knows a duplicate by its bytes', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  await using lane = await openLocalLane(folder.path, fleet.rules(ACTIVE_FROM))
  const first = fleet.sign(fleet.next(0))
  const second = fleet.sign(fleet.next(1))
  const bad = fleet.sign(fleet.next(2))
  const hot = fleet.sign(fleet.next(3, { tempC: 60 }))
  const rows = Buffer.concat([first, bad, second, hot, first])
  const results = await sequence(lane.stage, rows, [1, 0, 1, 1, 1])
  assert.deepEqual(
    results.map(({ code, position }) => [code, position]),
    [
      [Outcome.SETTLED, 0],
      [Outcome.BAD_SIGNATURE, 0],
      [Outcome.SETTLED, 1],
      [Outcome.THERMAL_LIMIT, 0],
      [DUPLICATE, 0],
    ],
  )
  assert.ok(results[0]!.amountMicro > 0)
  assert.equal(results[4]!.amountMicro, results[0]!.amountMicro)

  const resent = await sequence(lane.stage, second)
  assert.deepEqual(resent, [{ code: DUPLICATE, position: 1, amountMicro: results[2]!.amountMicro }])
  const other = Buffer.from(second)
  other[23]! += 1
  assert.equal((await sequence(lane.stage, other))[0]!.code, Outcome.OVERLAP)
  assert.equal(lane.stage.book.state.position, 2)
})

test('is where it was after a restart: same root, same answers, same batches', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const rows = fleet.rows(150)
  let root = ''
  let roots: string[] = []
  let answers: unknown
  {
    await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 66 })
    answers = (await sequence(lane.stage, rows)).map((result) => ({ ...result, code: DUPLICATE }))
    await lane.stage.closeBatch()
    await sequence(lane.stage, fleet.rows(30))
    root = hex(lane.stage.book.state.root())
    roots = lane.closed.flatMap((batch) => [...rootsOf(batch), batch.postRoot].map(hex))
    assert.deepEqual(
      lane.closed.map((batch) => batch.rowCount),
      [66, 66, 18],
    )
  }
  await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 66 })
  assert.equal(hex(lane.stage.book.state.root()), root)
  const closed = [...lane.stage.book.closed.values()]
  assert.deepEqual(
    closed.flatMap((batch) => [...rootsOf(batch), batch.postRoot].map(hex)),
    roots,
  )
  assert.equal(lane.stage.book.open?.rowCount, 30)
  assert.deepEqual(await sequence(lane.stage, rows), answers)
  // The open batch goes on: 36 more rows fill it.
  await sequence(lane.stage, fleet.rows(36))
  assert.equal(lane.closed.at(-1)?.rowCount, 66)

  const state = new LaneState()
  for (const batch of lane.stage.book.closed.values()) await settleBatch(state, rules, lane.journal, batch)
  assert.equal(hex(state.root()), hex(lane.closed.at(-1)!.postRoot))
})

test('pre-roots are the roots between runs of 22 rows', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  await using lane = await openLocalLane(folder.path, rules)
  await sequence(lane.stage, fleet.rows(44))
  await sequence(lane.stage, fleet.rows(7))
  await lane.stage.closeBatch()
  const batch = lane.closed[0]!
  const { rows } = await readBatchRows(lane.journal, batch)
  const state = new LaneState()
  const settlement = new Settlement(state, rules, batch.asOf)
  const expected: string[] = []
  for (let row = 0; row < 51; row++) {
    if (row % 22 === 0) expected.push(hex(state.root()))
    settlement.settle(rows, row * 88, true)
  }
  assert.deepEqual(rootsOf(batch).map(hex), expected)
  assert.equal(batch.preRoots.buffer.byteLength, 3 * 31, 'thousands of batches may wait: nothing larger is kept alive')
  assert.equal(hex(batch.postRoot), hex(state.root()))
})

test('closes and dates anew when a record ends after the batch, never for one that ends in the future', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  await using lane = await openLocalLane(folder.path, fleet.rules(ACTIVE_FROM), { seconds: T0 + 30 })
  await sequence(lane.stage, fleet.sign(fleet.next(0)))
  const asOf = lane.stage.book.open!.asOf
  assert.equal(asOf, T0 + 90)
  const far = fleet.sign(fleet.next(1, { start: (T0 + 900) / 15 }))
  assert.equal((await sequence(lane.stage, far))[0]!.code, Outcome.MALFORMED)
  assert.equal(lane.closed.length, 0)
  lane.clock.seconds = T0 + 1000
  lane.view.finalTime = T0 + 900
  assert.equal((await sequence(lane.stage, far))[0]!.code, Outcome.SETTLED)
  assert.equal(lane.closed.length, 1)
  assert.equal(lane.stage.book.open!.asOf, T0 + 1060)
})

test('takes nothing in while L1 finality lags by the notice, and never dates past it', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  await using lane = await openLocalLane(folder.path, fleet.rules(ACTIVE_FROM))
  lane.view.finalTime = lane.clock.seconds - 1790
  await sequence(lane.stage, fleet.sign(fleet.next(0)))
  assert.equal(lane.stage.book.open!.asOf, lane.view.finalTime + 1799)
  lane.view.finalTime = lane.clock.seconds - 1801
  assert.equal(lane.stage.refusal()?.code, 'NOT_ACCEPTING')
  await assert.rejects(sequence(lane.stage, fleet.sign(fleet.next(0))), /NOT_ACCEPTING/)
})

/** The database with another `write`. */
function writingBy(write: (database: Database, operations: WriteOperation[]) => Promise<void>) {
  return (database: Database): Database => ({
    folder: database.folder,
    get: (key) => database.get(key),
    getMany: (keys) => database.getMany(keys),
    entries: (from, to, reverse) => database.entries(from, to, reverse),
    reopen: () => database.reopen(),
    close: () => database.close(),
    write: (operations) => write(database, operations),
    note: (operations) => database.note(operations),
  })
}

test('a failed write leaves no trace: state rolled back, callers refused, and it goes on when the store does', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const failing = { left: 0 }
  const wrap = writingBy(async (database, operations) => {
    // The worst kind: it reached the disk, and still was reported as failed.
    if (failing.left === 2) await database.write(operations)
    if (failing.left-- > 0) throw new Error('no space left on device')
    await database.write(operations)
  })
  let root = ''
  {
    await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 44, wrap })
    await sequence(lane.stage, fleet.rows(30))
    root = hex(lane.stage.book.state.root())
    const lost = fleet.rows(100)
    failing.left = 2
    await assert.rejects(sequence(lane.stage, lost), /NOT_ACCEPTING: the journal cannot be written/)
    assert.equal(hex(lane.stage.book.state.root()), root)
    assert.equal(lane.stage.book.open?.rowCount, 30)
    assert.equal(lane.closed.length, 0)
    while (lane.stage.refusal() !== undefined) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.ok((await sequence(lane.stage, lost)).every((result) => result.code === Outcome.SETTLED))
    root = hex(lane.stage.book.state.root())
    assert.equal(lane.closed.length, 2)
  }
  await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 44 })
  assert.equal(hex(lane.stage.book.state.root()), root)
})

test('a batch whose closing is still being written is not closed for anybody yet', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const seen: (number | undefined)[] = []
  const look = (stage: SequenceStage | undefined): void =>
    void seen.push(stage?.lastClosed, stage?.closedBatch(1)?.index)
  let stage: SequenceStage | undefined
  const wrap = writingBy(async (database, operations) => {
    look(stage)
    await database.write(operations)
  })
  await using lane = await openLocalLane(folder.path, fleet.rules(ACTIVE_FROM), { maxBatchRows: 44, wrap })
  stage = lane.stage
  await sequence(lane.stage, fleet.rows(44))
  look(stage)
  assert.deepEqual(seen, [0, undefined, 1, 1])
})

test('batches too old for L1 are dated anew: positions stay, roots follow, and a restart agrees', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  let root = ''
  let roots: string[] = []
  {
    await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 22 })
    await sequence(lane.stage, fleet.rows(50))
    const before = lane.stage.book.state.lane()
    // Less money by the new date: a refund was noticed meanwhile.
    const spent = lane.stage.book.state.lane().spentMicro
    rules.applyCheckpointAdded({ index: 1, effectiveFrom: T0 + 5000, fundedMicro: (spent * 3n) / 4n })
    lane.clock.seconds += 4 * 3600
    lane.view.finalTime += 4 * 3600
    assert.equal(await lane.stage.redate(2), true)
    const after = lane.stage.book.state.lane()
    assert.equal(after.position, before.position)
    assert.ok(after.count < before.count, 'some records no longer settle')
    assert.equal(lane.stage.book.noOps.size, before.count - after.count)
    const [first, second] = [...lane.stage.book.closed.values()]
    assert.equal(first!.asOf, T0 + 3660)
    assert.equal(second!.asOf, lane.clock.seconds + 60)
    assert.equal(lane.stage.book.open!.asOf, lane.clock.seconds + 60)
    await lane.stage.closeBatch()
    root = hex(lane.stage.book.state.root())
    roots = [...lane.stage.book.closed.values()].map((batch) => hex(batch.postRoot))
  }
  await using lane = await openLocalLane(folder.path, rules)
  assert.equal(hex(lane.stage.book.state.root()), root)
  assert.deepEqual(
    [...lane.stage.book.closed.values()].map((batch) => hex(batch.postRoot)),
    roots,
  )
})

test('batches are as large as L1 takes them at the moment', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 66 })
  await sequence(lane.stage, fleet.rows(70))
  lane.limit.maxBatchRows = 22
  await sequence(lane.stage, fleet.rows(40))
  lane.limit.maxBatchRows = 44
  await sequence(lane.stage, fleet.rows(44))
  assert.deepEqual(
    lane.closed.map(({ rowCount }) => rowCount),
    [66, 22, 22, 44],
  )
  assert.equal(lane.stage.book.open, undefined)
})
