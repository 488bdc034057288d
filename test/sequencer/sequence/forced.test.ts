import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outcome } from '../../../protocol/outcome.ts'
import type { ForcedEntry } from '../../../sequencer/forced.ts'
import { until } from '../../support/until.ts'
import { forcedQueue } from '../../support/forcedQueue.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { ACTIVE_FROM, hex, localFleet, openLocalLane, sequence, T0 } from '../localLane.ts'
import { assertSameAgain, assertSettles, picture, records } from './forcedChecks.ts'
import { rootsOf } from '../support/roots.ts'

test('a batch takes what is queued before its own rows; positions do not move by it', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const good = records(fleet, [0, 1])
  const hot = fleet.sign(fleet.next(2, { tempC: 60 }))
  const unknown = fleet.sign(fleet.next(3, { evse: 4_000_000_000 }))
  let before: unknown
  {
    await using lane = await openLocalLane(folder.path, rules)
    lane.view.forced = forcedQueue([...good, hot, unknown, good[0]!], T0 + 600)
    const results = await sequence(
      lane.stage,
      Buffer.concat([...records(fleet, [0]), good[1]!, ...records(fleet, [5])]),
    )
    assert.deepEqual(
      results.map(({ code, position }) => [code, position]),
      [
        [Outcome.SETTLED, 0],
        [Outcome.OVERLAP, 0],
        [Outcome.SETTLED, 1],
      ],
    )
    const { book } = lane.stage
    assert.equal(book.state.position, 2)
    assert.equal(book.state.count, 4)
    const outcomes = book.forced.map(({ outcome }) => outcome)
    assert.deepEqual(outcomes, [0, 0, Outcome.THERMAL_LIMIT, Outcome.UNKNOWN_EVSE, Outcome.OVERLAP])
    assert.ok(book.forced[0]!.amountMicro > 0)
    assert.equal(book.forced[2]!.amountMicro, 0)
    // What is queued later waits for the next batch.
    lane.view.forced = forcedQueue(records(fleet, [6]), T0 + 700, lane.view.forced as ForcedEntry[])
    await sequence(lane.stage, fleet.rows(8))
    assert.equal(book.forced.length, 5)
    await lane.stage.closeBatch()
    await sequence(lane.stage, fleet.sign(fleet.next(7)))
    await lane.stage.closeBatch()
    assert.deepEqual(
      lane.closed.map(({ forced, rowCount }) => [forced.start, forced.entries.length, rowCount]),
      [
        [0, 5, 10],
        [5, 1, 1],
      ],
    )
    await assertSettles(lane, rules)
    before = picture(lane)
  }
  await assertSameAgain(folder.path, rules, before)
})

test('a lane with nothing but forced records opens a batch for them, and closes it', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  await using lane = await openLocalLane(folder.path, rules)
  lane.stage.tick()
  await lane.stage.drain()
  assert.equal(lane.journal.length, 0, 'nothing is written for nothing')
  lane.view.forced = forcedQueue(records(fleet, [0, 1]), T0 + 600)
  lane.stage.hold('test', 'held')
  lane.stage.tick()
  await lane.stage.drain()
  assert.equal(lane.stage.book.open, undefined, 'a held lane takes nothing')
  lane.stage.hold('test', undefined)
  lane.stage.tick()
  await until(() => lane.stage.book.forced.length === 2)
  assert.equal(lane.closed.length, 0)
  lane.clock.seconds += 60
  lane.stage.tick()
  await until(() => lane.closed.length === 1)
  assert.equal(lane.closed[0]!.rowCount, 0)
  assert.equal(lane.closed[0]!.chunkCount, 1)
  lane.stage.tick()
  await lane.stage.drain()
  assert.equal(lane.stage.book.open, undefined)
  await assertSettles(lane, rules)
})

test('192 entries a batch, 22 a chunk, and they count towards its size', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  let before: unknown
  {
    await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 11 * 22 })
    lane.view.forced = forcedQueue(
      records(
        fleet,
        Array.from({ length: 200 }, (_, i) => i % 8),
      ),
      T0 + 600,
    )
    await sequence(lane.stage, fleet.rows(50))
    assert.deepEqual(
      lane.closed.map((batch) => [batch.forced.entries.length, batch.rowCount, rootsOf(batch).length]),
      [[192, 44, 11]],
    )
    await lane.stage.closeBatch()
    const [, second] = lane.closed
    assert.deepEqual([second!.forced.start, second!.forced.entries.length, second!.rowCount], [192, 8, 6])
    await assertSettles(lane, rules)
    before = picture(lane)
  }
  await assertSameAgain(folder.path, rules, before)
})

test('an entry whose block is after the date of a batch is left for the next', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  await using lane = await openLocalLane(folder.path, fleet.rules(ACTIVE_FROM))
  const asOf = lane.stage.asOfNow()!
  lane.view.forced = forcedQueue(records(fleet, [0, 1]), asOf)
  await sequence(lane.stage, fleet.sign(fleet.next(2)))
  assert.equal(lane.stage.book.forced.length, 1)
})

test('a failed write takes forced records back too', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const failing = { next: false }
  const wrap = (database: Parameters<NonNullable<Parameters<typeof openLocalLane>[2]>['wrap'] & object>[0]) => {
    const write = database.write.bind(database)
    database.write = async (operations) => {
      if (!failing.next) return await write(operations)
      failing.next = false
      throw new Error('no space left on device')
    }
    return database
  }
  const rules = fleet.rules(ACTIVE_FROM)
  await using lane = await openLocalLane(folder.path, rules, { wrap })
  lane.view.forced = forcedQueue(records(fleet, [0, 1]), T0 + 600)
  const root = hex(lane.stage.book.state.root())
  failing.next = true
  await assert.rejects(sequence(lane.stage, fleet.sign(fleet.next(2))), /NOT_ACCEPTING/)
  assert.equal(hex(lane.stage.book.state.root()), root)
  assert.equal(lane.stage.book.forced.length, 0)
  await until(() => lane.stage.refusal() === undefined)
  lane.stage.tick()
  await until(() => lane.stage.book.forced.length === 2)
  await lane.stage.closeBatch()
  await assertSettles(lane, rules)
})

test('a journal whose forced entries do not follow from one another is not believed', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  {
    await using lane = await openLocalLane(folder.path, rules)
    const queue = forcedQueue(records(fleet, [0, 1]), T0 + 600)
    lane.view.forced = [queue[0]!, { ...queue[1]!, record: queue[0]!.record }]
    await sequence(lane.stage, fleet.sign(fleet.next(2)))
  }
  await assert.rejects(openLocalLane(folder.path, rules), /does not follow from those before/)
})
