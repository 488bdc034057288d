import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LaneRules } from '../../../protocol/laneRules.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import type { ForcedEntry } from '../../../sequencer/forced.ts'
import { scrub } from '../../../sequencer/lane/scrub.ts'
import { readSnapshot } from '../../../sequencer/sequence/laneSnapshot.ts'
import { numberedKey, Table } from '../../../sequencer/store/keys.ts'
import { readSnapshotFile } from '../../../sequencer/store/snapshotFile.ts'
import { forcedQueue } from '../../support/forcedQueue.ts'
import { fc } from '../../support/property.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { ACTIVE_FROM, hex, type LocalLane, localFleet, openLocalLane, sequence, T0 } from '../localLane.ts'
import { until } from '../../support/until.ts'
import { records } from './forcedChecks.ts'
import { strangersBatch } from './strangersBatch.ts'

/** All that must be the same whichever way a lane started; bytes as hex. */
function picture({ stage: { book } }: LocalLane): unknown {
  const { closed, forced, noOps, lastIndex, lastAsOf, lastRoot, state } = book
  const open = book.open && { ...book.open, settlement: undefined, openedAtMs: 0, verdicts: book.open.verdicts }
  const lane = { root: state.root(), position: state.position, lastIndex, lastAsOf, lastRoot, forced, open }
  return plain({ ...lane, closed: [...closed.values()], noOps: [...noOps] })
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

async function fromSnapshotAndFromTheStart(
  folder: string,
  rules: LaneRules,
  seconds = T0 + 3600,
): Promise<[unknown, unknown]> {
  const pictures: unknown[] = []
  for (const snapshotRows of [1_000_000, 0]) {
    await using lane = await openLocalLane(folder, rules, { maxBatchRows: 66, snapshotRows, seconds })
    pictures.push(picture(lane))
  }
  return [pictures[0], pictures[1]]
}

test('a lane that starts from its snapshot is the lane that is replayed from its first entry, whatever was done to it', async () => {
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 40 }).map((rows) => ({ kind: 'rows' as const, rows })) },
    { weight: 2, arbitrary: fc.constant({ kind: 'close' as const }) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 30 }).map((entries) => ({ kind: 'forced' as const, entries })) },
    { weight: 1, arbitrary: fc.constant({ kind: 'redate' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  )
  let read = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), async (steps) => {
      await using folder = await temporaryFolder()
      const fleet = localFleet()
      const rules = fleet.rules(ACTIVE_FROM)
      const options = { maxBatchRows: 66, snapshotRows: 25, runRecords: 40 }
      let lane = await openLocalLane(folder.path, rules, options)
      let queue: readonly ForcedEntry[] = []
      try {
        for (const [i, what] of steps.entries()) {
          lane.view.forced = queue
          if (what.kind === 'rows') await sequence(lane.stage, fleet.rows(what.rows))
          else if (what.kind === 'close') await lane.stage.closeBatch()
          else if (what.kind === 'forced') {
            const evses = Array.from({ length: what.entries }, (_, k) => (i + k) % 8)
            queue = forcedQueue(records(fleet, evses), T0 + 600, queue as ForcedEntry[])
          } else if (what.kind === 'redate') await lane.stage.redate(Math.max(1, lane.stage.book.lastIndex))
          else {
            await lane[Symbol.asyncDispose]()
            lane = await openLocalLane(folder.path, rules, options)
          }
        }
      } finally {
        await lane[Symbol.asyncDispose]()
      }
      if (existsSync(join(folder.path, 'snapshot-0'))) read++
      const [quick, whole] = await fromSnapshotAndFromTheStart(folder.path, rules)
      assert.deepEqual(quick, whole)
    }),
    { numRuns: 40 },
  )
  assert.ok(read > 20, `${read} of the runs had a snapshot`)
})

test('a snapshot from before a revision of what it holds is of no use; one from after it holds the no-ops that came of it', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const path = join(folder.path, 'snapshot-0')
  const options = { maxBatchRows: 22, snapshotRows: 20, seconds: T0 + 7200 }
  let queue: ForcedEntry[] = []
  {
    await using lane = await openLocalLane(folder.path, rules, { ...options, seconds: T0 + 3600 })
    await sequence(lane.stage, fleet.rows(30))
    await until(() => existsSync(path))
    lane.clock.seconds = options.seconds
    lane.view.finalTime = options.seconds - 60
    queue = forcedQueue(records(fleet, [0]), T0 + 3000)
    lane.view.forced = queue
    const theirs = await strangersBatch(lane, rules, { index: 1, asOf: options.seconds - 10, count: 1 })
    assert.equal(await lane.stage.insert(theirs), 'inserted')
    assert.ok(lane.stage.book.noOps.size > 0)
  }
  const saved = readSnapshot((await readSnapshotFile(path))!, 0)!
  assert.deepEqual([saved.forced.length, saved.noOps.length], [0, 0])
  const [quick, whole] = await fromSnapshotAndFromTheStart(folder.path, rules, options.seconds)
  assert.deepEqual(quick, whole)
  {
    await using lane = await openLocalLane(folder.path, rules, { ...options, forced: queue })
    await sequence(lane.stage, fleet.rows(30))
  }
  assert.ok(readSnapshot((await readSnapshotFile(path))!, 0)!.noOps.length > 0)
  const [quickAgain, wholeAgain] = await fromSnapshotAndFromTheStart(folder.path, rules, options.seconds)
  assert.deepEqual(quickAgain, wholeAgain)
})

/** Some batches, an open one, and a snapshot of it all, and rows behind it. */
async function laneWithSnapshot(path: string): Promise<{ rules: LaneRules; entries: number }> {
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  {
    await using lane = await openLocalLane(path, rules, { maxBatchRows: 66, snapshotRows: 200 })
    for (let i = 0; i < 10; i++) await sequence(lane.stage, fleet.rows(21))
  }
  await using lane = await openLocalLane(path, rules, { maxBatchRows: 66, snapshotRows: 1_000_000 })
  await sequence(lane.stage, fleet.rows(9))
  return { rules, entries: lane.journal.length }
}

test('entries behind the snapshot alone are read at the start; the others are looked through afterwards', async () => {
  await using folder = await temporaryFolder()
  const { rules } = await laneWithSnapshot(folder.path)
  const { head } = readSnapshot((await readSnapshotFile(join(folder.path, 'snapshot-0')))!, 0)!
  {
    await using lane = await openLocalLane(folder.path, rules)
    const context = { log: silentLogger(), signal: new AbortController().signal }
    await scrub(lane.journal, head, context)
    const key = numberedKey(Table.ENTRY, 0, 3)
    const value = (await lane.database.get(key))!.slice()
    value[60]! ^= 1
    await lane.database.write([{ type: 'put', key, value }])
    await assert.rejects(scrub(lane.journal, head, context), (error) => isBackfeedError(error, 'DATA_CORRUPTED'))
  }
  // So it was from its first entry that this start would have been.
  await assert.rejects(openLocalLane(folder.path, rules), (error) => isBackfeedError(error, 'DATA_CORRUPTED'))
  await using lane = await openLocalLane(folder.path, rules, { snapshotRows: 1_000_000 })
  assert.equal(lane.stage.book.state.position, 219)
})

test('a snapshot that is damaged, cut or of another journal counts as none', async () => {
  await using folder = await temporaryFolder()
  const { rules } = await laneWithSnapshot(folder.path)
  const path = join(folder.path, 'snapshot-0')
  const good = readFileSync(path)
  const [, expected] = await fromSnapshotAndFromTheStart(folder.path, rules)
  const damaged = [
    ...Array.from({ length: 40 }, (_, i) => {
      const bytes = Buffer.from(good)
      bytes[Math.floor((i * good.length) / 40)]! ^= 1 << (i % 8)
      return bytes
    }),
    ...Array.from({ length: 10 }, (_, i) => good.subarray(0, Math.floor((i * good.length) / 10))),
    Buffer.concat([good, Buffer.alloc(1)]),
  ]
  for (const [i, bytes] of damaged.entries()) {
    writeFileSync(path, bytes)
    assert.equal(await readSnapshotFile(path), undefined, `damage ${i}`)
  }
  const [quick] = await fromSnapshotAndFromTheStart(folder.path, rules)
  assert.deepEqual(quick, expected)

  await using other = await temporaryFolder()
  const strangers = localFleet(5)
  {
    await using lane = await openLocalLane(other.path, strangers.rules(ACTIVE_FROM), { snapshotRows: 0 })
    for (let i = 0; i < 20; i++) await sequence(lane.stage, strangers.rows(3))
  }
  writeFileSync(join(other.path, 'snapshot-0'), good)
  const [theirs, replayed] = await fromSnapshotAndFromTheStart(other.path, strangers.rules(ACTIVE_FROM))
  assert.deepEqual(theirs, replayed)
})

test('a snapshot that cannot be written leaves the lane as it is', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const path = join(folder.path, 'snapshot-0')
  await using lane = await openLocalLane(folder.path, rules, { snapshotRows: 20 })
  mkdirSync(`${path}.tmp`)
  await sequence(lane.stage, fleet.rows(30))
  await sequence(lane.stage, fleet.rows(30))
  assert.equal(existsSync(path), false)
  assert.equal(lane.faults.length, 0)
  rmSync(`${path}.tmp`, { recursive: true })
  await sequence(lane.stage, fleet.rows(30))
  await lane.stage.stop()
  assert.ok(statSync(path).size > 100)
})

test('roots that were dropped are there again when they are asked for', async () => {
  await using folder = await temporaryFolder()
  const { rules } = await laneWithSnapshot(folder.path)
  await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 66 })
  const before = picture(lane)
  for (const index of [1, 2]) lane.stage.dropRoots(index)
  assert.equal(lane.stage.closedBatch(2)!.preRoots.length, 0)
  const batch = await lane.stage.whole(lane.stage.closedBatch(1)!)
  assert.equal(batch.preRoots.length, batch.chunkCount * 31)
  assert.deepEqual(picture(lane), before)
})
