import assert from 'node:assert/strict'
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ExitCode, isBackfeedError } from '../../../runtime/errors.ts'
import { openDatabase } from '../../../sequencer/store/database.ts'
import { sealEntry } from '../../../sequencer/store/entry.ts'
import { numberedKey, Table } from '../../../sequencer/store/keys.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { ACTIVE_FROM, hex, localFleet, OWNER, openLocalLane, sequence } from '../localLane.ts'

const fleet = localFleet()
const rules = fleet.rules(ACTIVE_FROM)

function files(folder: string, ending: string): string[] {
  const db = join(folder, 'db')
  return readdirSync(db)
    .filter((name) => name.endsWith(ending))
    .map((name) => join(db, name))
}

function corrupted(error: unknown): boolean {
  return isBackfeedError(error, 'DATA_CORRUPTED') && error.exitCode === ExitCode.dataCorrupted
}

async function written(path: string): Promise<string> {
  await using lane = await openLocalLane(path, rules, { maxBatchRows: 44 })
  for (let i = 0; i < 6; i++) await sequence(lane.stage, fleet.rows(40))
  return hex(lane.stage.book.state.root())
}

test('damaged files stop the start with DATA_CORRUPTED, or change nothing: never another state', async (t) => {
  await using folder = await temporaryFolder()
  const good = join(folder.path, 'good')
  const root = await written(good)
  let stopped = 0
  const attempt = async (name: string, harm: (path: string) => void): Promise<'stopped' | 'same'> => {
    const path = join(folder.path, 'harmed')
    rmSync(path, { recursive: true, force: true })
    await cp(good, path, { recursive: true })
    harm(path)
    try {
      await using lane = await openLocalLane(path, rules)
      assert.equal(hex(lane.stage.book.state.root()), root, name)
      return 'same'
    } catch (error) {
      assert.ok(corrupted(error), `${name}: ${String(error)}`)
      stopped++
      return 'stopped'
    }
  }

  await t.test('unharmed', async () => assert.equal(await attempt('unharmed', () => {}), 'same'))
  await t.test('flipped bytes', async () => {
    const log = files(good, '.log').find((file) => statSync(file).size > 1000)!
    const size = statSync(log).size
    for (let i = 0; i < 24; i++) {
      const at = Math.floor((size * (i + 0.5)) / 24)
      await attempt(`byte ${at} of the log`, (path) => {
        const file = join(path, 'db', log.split('/').at(-1)!)
        const bytes = readFileSync(file)
        bytes[at]! ^= 0x40
        writeFileSync(file, bytes)
      })
    }
    assert.ok(stopped >= 20, `only ${stopped} of 24 flips were noticed`)
  })
  await t.test('truncated log', async () => {
    const cut = (keep: (size: number) => number) => (path: string) => {
      for (const file of files(path, '.log')) truncateSync(file, Math.max(0, Math.floor(keep(statSync(file).size))))
    }
    for (const part of [0, 0.3, 0.9]) {
      assert.equal(
        await attempt(
          `log cut to ${part}`,
          cut((size) => size * part),
        ),
        'stopped',
      )
    }
    // Last in the log is the signature of a receipt, which is not synced: it is made anew.
    assert.equal(
      await attempt(
        'log without its last byte',
        cut((size) => size - 1),
      ),
      'same',
    )
  })
  await t.test('missing CURRENT', async () => {
    assert.equal(await attempt('no CURRENT', (path) => rmSync(join(path, 'db', 'CURRENT'))), 'stopped')
  })
  await t.test('missing database', async () => {
    assert.equal(await attempt('no db', (path) => rmSync(join(path, 'db'), { recursive: true })), 'stopped')
  })
  await t.test('missing marker', async () => {
    assert.equal(await attempt('no marker', (path) => rmSync(join(path, 'store.json'))), 'stopped')
  })
  await t.test('head file of another time', async () => {
    assert.equal(
      await attempt('head file', (path) => writeFileSync(join(path, 'head-0'), new Uint8Array(128).fill(3))),
      'stopped',
    )
  })
})

test('an entry that was sealed for its place and does not follow the one before is noticed by the chain', async () => {
  await using folder = await temporaryFolder()
  await written(folder.path)
  {
    await using lane = await openLocalLane(folder.path, rules)
    for await (const { sequence: at, entry } of lane.journal.readRange(4, 4)) {
      const { value } = sealEntry(entry, { lane: 0, sequence: at, rowBytes: 88 }, new Uint8Array(32))
      await lane.database.write([{ type: 'put', key: numberedKey(Table.ENTRY, 0, at), value }])
    }
  }
  await assert.rejects(openLocalLane(folder.path, rules), corrupted)
})

test('an entry put in the place of another is noticed', async () => {
  await using folder = await temporaryFolder()
  await written(folder.path)
  {
    await using lane = await openLocalLane(folder.path, rules)
    const second = await lane.database.get(numberedKey(Table.ENTRY, 0, 2))
    await lane.database.write([{ type: 'put', key: numberedKey(Table.ENTRY, 0, 4), value: second! }])
  }
  await assert.rejects(openLocalLane(folder.path, rules), corrupted)
})

test('a store of another deployment is refused as a mistake, not as damage', async () => {
  await using folder = await temporaryFolder()
  await written(folder.path)
  await assert.rejects(openDatabase(folder.path, { chainId: 1, rollup: OWNER.rollup }), (error) =>
    isBackfeedError(error, 'WRONG_STORE'),
  )
})
