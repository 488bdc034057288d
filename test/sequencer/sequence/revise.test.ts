import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outcome } from '../../../protocol/outcome.ts'
import type { ForcedEntry } from '../../../sequencer/forced.ts'
import { forcedQueue } from '../../support/forcedQueue.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { ACTIVE_FROM, localFleet, openLocalLane, sequence, T0 } from '../localLane.ts'
import { until } from '../../support/until.ts'
import { assertSameAgain, assertSettles, picture, records } from './forcedChecks.ts'
import { strangersBatch } from './strangersBatch.ts'

test("ours follow somebody else's batch of forced records: positions stay, what it consumed is not consumed again", async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  let before: unknown
  {
    await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 66 })
    await sequence(lane.stage, fleet.rows(30))
    await lane.stage.closeBatch()
    const forced = records(fleet, [0, 1, 2, 3, 4])
    lane.view.forced = forcedQueue(forced, T0 + 600)
    await sequence(lane.stage, fleet.rows(10))
    await lane.stage.closeBatch()
    lane.view.forced = forcedQueue(records(fleet, [5]), T0 + 700, lane.view.forced as ForcedEntry[])
    const rows = fleet.rows(10)
    const answers = await sequence(lane.stage, rows)
    assert.deepEqual(
      [...lane.stage.book.closed.values()].map(({ rowCount }) => rowCount),
      [30, 10],
    )
    assert.equal(lane.stage.book.open?.index, 3)
    const position = lane.stage.book.state.position

    const theirs = await strangersBatch(lane, rules, { index: 2, asOf: T0 + 3601, count: 3 })
    const lied = { ...theirs, postRoot: theirs.postRoot.with(3, theirs.postRoot[3]! ^ 1) }
    const entries = lane.journal.length
    assert.equal(await lane.stage.insert(lied), 'false')
    assert.equal(lane.journal.length, entries)
    assert.equal(await lane.stage.insert(theirs), 'inserted')
    const { book } = lane.stage
    assert.equal(book.state.position, position)
    assert.deepEqual(
      [...book.closed.values()].map(({ index, forced: f, rowCount }) => [index, f.start, f.entries.length, rowCount]),
      [
        [1, 0, 0, 30],
        [2, 0, 3, 0],
        [3, 3, 2, 10],
      ],
    )
    assert.equal(book.open!.index, 4)
    assert.deepEqual(
      book.forced.map(({ batch }) => batch),
      [2, 2, 2, 3, 3, 4],
    )
    assert.equal(book.batchAt(29)!.index, 1)
    assert.equal(book.batchAt(30)!.index, 3)
    assert.equal(book.batchAt(40), undefined)
    // The lane goes on, in the batch that was open, and its answers stand.
    const again = await sequence(lane.stage, rows)
    assert.deepEqual(
      again.map(({ position: at }) => at),
      answers.map(({ position: at }) => at),
    )
    await sequence(lane.stage, fleet.rows(10))
    await lane.stage.closeBatch()
    assert.equal(lane.stage.lastClosed, 4)
    await assertSettles(lane, rules)

    // A second one before the same batches, which takes all that is left: what is open keeps only its rows.
    const second = await strangersBatch(lane, rules, { index: 3, asOf: T0 + 3602, count: 192 })
    assert.equal(second.entries.length, 3)
    assert.equal(await lane.stage.insert(second), 'inserted')
    assert.deepEqual(
      lane.stage.book.forced.map(({ batch }) => batch),
      [2, 2, 2, 3, 3, 3],
    )
    assert.equal(lane.stage.book.state.position, position + 10)
    await assertSettles(lane, rules)
    before = picture(lane)
  }
  await assertSameAgain(folder.path, rules, before)
})

test('a batch of ours whose entries another has consumed, all it held, stays as a chunk of padding', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  let before: unknown
  {
    await using lane = await openLocalLane(folder.path, rules)
    lane.view.forced = forcedQueue(records(fleet, [0, 1]), T0 + 600)
    lane.stage.tick()
    await until(() => lane.stage.book.open !== undefined)
    assert.equal(
      await lane.stage.insert(await strangersBatch(lane, rules, { index: 1, asOf: T0 + 3500, count: 2 })),
      'inserted',
    )
    await sequence(lane.stage, fleet.sign(fleet.next(2, { tempC: 60 })))
    await lane.stage.closeBatch()
    assert.deepEqual(
      [...lane.stage.book.closed.values()].map((batch) => [
        batch.forced.entries.length,
        batch.rowCount,
        batch.chunkCount,
      ]),
      [
        [2, 0, 1],
        [0, 0, 1],
      ],
    )
    await assertSettles(lane, rules)
    before = picture(lane)
  }
  await assertSameAgain(folder.path, rules, before)
})

test('where theirs is dated later, ours are dated anew', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 22 })
  await sequence(lane.stage, fleet.rows(30))
  const earlier = lane.stage.book.open!.asOf
  lane.clock.seconds += 3600
  lane.view.finalTime += 3600
  lane.view.forced = forcedQueue(records(fleet, [0]), T0 + 3000)
  const theirs = await strangersBatch(lane, rules, { index: 1, asOf: lane.clock.seconds - 10, count: 1 })
  lane.view.finalTime -= 3600
  assert.equal(await lane.stage.insert(theirs), 'notYet', 'nothing can be dated while L1 is behind')
  lane.view.finalTime += 3600
  assert.equal(await lane.stage.insert(theirs), 'inserted')
  const asOfs = [...lane.stage.book.closed.values(), lane.stage.book.open!].map(({ asOf }) => asOf - earlier)
  assert.deepEqual(asOfs, [3600 - 70, 3600, 3600])
  // Chargers 0's forced record is newer than what it had sent: those are promised no-ops now, where they stand.
  const noOps = [...lane.stage.book.noOps.entries()]
  assert.ok(noOps.length > 0 && noOps.every(([, outcome]) => outcome === Outcome.OVERLAP))
  await lane.stage.closeBatch()
  await assertSettles(lane, rules)
})

test('batches that waited for half a day take along what L1 would refuse them for', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  let before: unknown
  {
    await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 44 })
    await sequence(lane.stage, fleet.rows(60))
    const { position } = lane.stage.book.state
    lane.view.forced = forcedQueue(
      records(
        fleet,
        Array.from({ length: 200 }, (_, i) => i % 8),
      ),
      T0 + 4000,
    )
    lane.clock.seconds += 4 * 3600
    lane.view.finalTime += 4 * 3600
    assert.equal(await lane.stage.redate(1), true)
    assert.equal(lane.stage.book.lastIndex, 1, 'four hours are no reason')
    lane.clock.seconds += 4 * 3600
    lane.view.finalTime += 4 * 3600
    assert.equal(await lane.stage.redate(1), true)
    const { book } = lane.stage
    assert.deepEqual(
      [...book.closed.values()].map(({ index, forced, rowCount }) => [
        index,
        forced.start,
        forced.entries.length,
        rowCount,
      ]),
      [
        [1, 0, 192, 0],
        [2, 192, 8, 0],
        [3, 200, 0, 44],
      ],
    )
    assert.equal(book.open!.index, 4)
    assert.equal(book.state.position, position)
    assert.ok([...book.closed.values()].every(({ asOf }) => asOf === lane.clock.seconds + 60))
    await lane.stage.closeBatch()
    await assertSettles(lane, rules)
    before = picture(lane)
  }
  await assertSameAgain(folder.path, rules, before)
})
