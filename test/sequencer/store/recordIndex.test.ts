import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readU32, writeU16, writeU32, writeU48 } from '../../../protocol/bigEndian.ts'
import { ExitCode, isBackfeedError } from '../../../runtime/errors.ts'
import { type Database, openDatabase } from '../../../sequencer/store/database.ts'
import { pageKey, recordKey, Table, tableKey } from '../../../sequencer/store/keys.ts'
import { RecordIndex } from '../../../sequencer/store/recordIndex.ts'
import { type AcceptedRecord, pageOf } from '../../../sequencer/store/recordRun.ts'
import { DUPLICATE } from '../../../sequencer/submission.ts'
import { fc } from '../../support/property.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { ACTIVE_FROM, localFleet, OWNER, openLocalLane, sequence, T0 } from '../localLane.ts'

const RUN = 40
const JOURNAL = { lane: 3, length: 0 }

/** 24 bytes with a name; the others tell one record from another. */
function recordOf(evse: number, start: number, filling: number): Uint8Array {
  const record = new Uint8Array(24).fill(filling)
  writeU32(record, 0, evse)
  writeU32(record, 8, start)
  return record
}

/** What a journal and a snapshot would do for an index: they know every record, and bring the newest back. */
class IndexedLane {
  readonly #database: Database
  readonly journal: AcceptedRecord[] = []
  index!: RecordIndex

  constructor(database: Database) {
    this.#database = database
  }

  get position(): number {
    return (this.journal.at(-1)?.position ?? -1) + 1
  }

  async start(saved?: { copy: Uint8Array; position: number }): Promise<void> {
    this.index = await RecordIndex.open(this.#database, { lane: JOURNAL.lane, length: this.journal.length }, RUN)
    if (saved !== undefined) this.index.restore(saved.copy)
    for (const { record, ...place } of this.journal) {
      if (place.position >= (saved?.position ?? 0)) this.index.add(record, 0, place)
    }
    this.index.replayed(this.position)
  }

  /** `fails`: nothing of it reached the disk, or all of it and nobody was told. */
  async write(records: readonly Uint8Array[], fails?: 'before' | 'after'): Promise<void> {
    const undo = this.index.mark()
    // Positions have gaps: no-ops take some.
    const added = records.map((record, row) => {
      const position = this.position + row * 2
      const place = { position, amountMicro: position * 1_000_003, sequence: this.journal.length + 1, row }
      this.index.add(record, 0, place)
      return { record, ...place }
    })
    const operations = this.index.operations(records.length)
    if (fails !== 'before') await this.#database.write(operations)
    if (fails !== undefined) return undo()
    this.index.written()
    this.journal.push(...added)
  }

  async flush(): Promise<void> {
    await this.#database.write(this.index.flush())
    this.index.written()
  }

  /** Every name that was ever accepted, and some that were not. */
  async check(): Promise<void> {
    const names = this.journal.map(({ record }) => ({ evse: readU32(record, 0), start: readU32(record, 8) }))
    const strangers = names.map(({ evse, start }) => ({ evse: evse + 1_000, start }))
    const found = await this.index.find([...names, ...strangers])
    for (const [i, { evse, start }] of names.entries()) {
      const expected = this.journal.findLast(
        ({ record }) => readU32(record, 0) === evse && readU32(record, 8) === start,
      )
      assert.deepEqual(found[i], expected)
    }
    assert.ok(found.slice(names.length).every((accepted) => accepted === undefined))
  }
}

test('what was accepted is found with its place, whatever happened since: full runs, failed writes, starts with and without a snapshot', async () => {
  const rows = fc.array(fc.tuple(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 300 })), {
    minLength: 1,
    maxLength: 30,
  })
  const step = fc.oneof(
    { weight: 8, arbitrary: rows.map((names) => ({ kind: 'write' as const, names })) },
    {
      weight: 3,
      arbitrary: fc.tuple(rows, fc.constantFrom('before', 'after')).map(([names, fails]) => ({
        kind: 'fail' as const,
        names,
        fails: fails as 'before' | 'after',
      })),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'flush' as const }) },
    { weight: 2, arbitrary: fc.constant({ kind: 'save' as const }) },
    { weight: 2, arbitrary: fc.boolean().map((whole) => ({ kind: 'start' as const, whole })) },
    { weight: 2, arbitrary: fc.constant({ kind: 'check' as const }) },
  )
  let pages = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      await using folder = await temporaryFolder()
      const database = await openDatabase(folder.path, OWNER)
      try {
        const lane = new IndexedLane(database)
        await lane.start()
        let saved: { copy: Uint8Array; position: number } | undefined
        for (const [i, what] of steps.entries()) {
          if (what.kind === 'write' || what.kind === 'fail') {
            const records = what.names.map(([evse, start]) => recordOf(evse, start, i))
            await lane.write(records, what.kind === 'fail' ? what.fails : undefined)
          } else if (what.kind === 'flush') await lane.flush()
          else if (what.kind === 'save') saved = { copy: lane.index.copy(), position: lane.position }
          else if (what.kind === 'start') await lane.start(what.whole ? undefined : saved)
          else await lane.check()
        }
        await lane.check()
        for await (const _ of database.entries(tableKey(Table.PAGE, 3), tableKey(Table.PAGE, 4))) pages++
      } finally {
        await database.close()
      }
    }),
    { numRuns: 60 },
  )
  assert.ok(pages > 300, `only ${pages} pages were written`)
})

test('a record is not found before it is durable', async () => {
  await using folder = await temporaryFolder()
  const database = await openDatabase(folder.path, OWNER)
  const index = await RecordIndex.open(database, JOURNAL, RUN)
  index.replayed(0)
  const place = { position: 0, amountMicro: 5, sequence: 2, row: 0 }
  index.add(recordOf(1, 2, 3), 0, place)
  assert.deepEqual(await index.find([{ evse: 1, start: 2 }]), [undefined])
  await database.write(index.operations(1))
  index.written()
  assert.deepEqual(await index.find([{ evse: 1, start: 2 }]), [{ ...place, record: recordOf(1, 2, 3) }])
  await database.close()
})

test('a page or state that is not what was written is noticed', async () => {
  await using folder = await temporaryFolder()
  const database = await openDatabase(folder.path, OWNER)
  const lane = new IndexedLane(database)
  await lane.start()
  for (let i = 0; i < 6; i++) {
    await lane.write(Array.from({ length: RUN / 2 }, (_, k) => recordOf(k, i, 1)))
  }
  const corrupted = (error: unknown): boolean =>
    isBackfeedError(error, 'DATA_CORRUPTED') && error.exitCode === ExitCode.dataCorrupted
  const name = { evse: 2, start: 1 }
  const key = pageKey(3, pageOf(name), 0)
  const page = (await database.get(key))!.slice()
  page[70]! ^= 4
  await database.write([{ type: 'put', key, value: page }])
  await assert.rejects(lane.index.find([name]), corrupted)
  const stateKey = tableKey(Table.INDEX, 3)
  const state = (await database.get(stateKey))!.slice()
  state[5]! ^= 1
  await database.write([{ type: 'put', key: stateKey, value: state }])
  await assert.rejects(lane.start(), corrupted)
  await database.write([{ type: 'del', key: stateKey }])
  await assert.rejects(lane.start(), corrupted)
  await database.close()
})

test('a store of the time when each record had a key still answers for them, and takes new ones', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const rows = fleet.rows(90)
  let first: Awaited<ReturnType<typeof sequence>>
  {
    await using lane = await openLocalLane(folder.path, rules)
    first = await sequence(lane.stage, rows)
    await lane.database.write([
      { type: 'del', key: tableKey(Table.INDEX, 0) },
      ...first.map(({ position, amountMicro }, row) => oldPut(rows.subarray(row * 88), { position, amountMicro, row })),
    ])
  }
  const again = first.map((result) => ({ ...result, code: DUPLICATE }))
  const more = fleet.rows(100)
  for (let start = 0; start < 3; start++) {
    await using lane = await openLocalLane(folder.path, rules, { runRecords: RUN })
    assert.deepEqual(await sequence(lane.stage, rows), again, `start ${start}`)
    const results = await sequence(lane.stage, more)
    assert.ok(results.every(({ code, position }, i) => code === (start === 0 ? 0 : DUPLICATE) && position === 90 + i))
    await sequence(lane.stage, fleet.rows(30))
  }
})

/** As versions before the pages wrote it. */
function oldPut(row: Uint8Array, place: { position: number; amountMicro: number; row: number }) {
  const value = new Uint8Array(42)
  writeU48(value, 0, place.position)
  writeU48(value, 6, place.amountMicro)
  writeU48(value, 12, 1)
  writeU48(value, 18, 2)
  writeU16(value, 24, place.row)
  value.set(row.subarray(4, 8), 26)
  value.set(row.subarray(12, 24), 30)
  return { type: 'put' as const, key: recordKey(0, readU32(row, 0), readU32(row, 8)), value }
}

test('what was accepted before a revision is found as it was accepted', async () => {
  await using folder = await temporaryFolder()
  const fleet = localFleet()
  const rules = fleet.rules(ACTIVE_FROM)
  const rows = fleet.rows(70)
  const names = Array.from({ length: 70 }, (_, i) => ({
    evse: readU32(rows, i * 88),
    start: readU32(rows, i * 88 + 8),
  }))
  let before: (AcceptedRecord | undefined)[]
  {
    await using lane = await openLocalLane(folder.path, rules, { maxBatchRows: 22, runRecords: RUN })
    await sequence(lane.stage, rows)
    before = await lane.index.find(names)
    assert.ok(before.every((accepted, i) => accepted?.position === i))
    // Less money by the new date: some are no-ops then, and a replay credits them nothing.
    const spent = lane.stage.book.state.lane().spentMicro
    rules.applyCheckpointAdded({ index: 1, effectiveFrom: T0 + 5000, fundedMicro: (spent * 3n) / 4n })
    lane.clock.seconds += 4 * 3600
    lane.view.finalTime += 4 * 3600
    assert.equal(await lane.stage.redate(2), true)
    assert.ok(lane.stage.book.noOps.size > 0)
    assert.deepEqual(await lane.index.find(names), before)
  }
  await using lane = await openLocalLane(folder.path, rules, { runRecords: RUN })
  assert.deepEqual(await lane.index.find(names), before)
})
