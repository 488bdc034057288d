import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHttpClient } from '../../client/http.ts'
import { SubmitError } from '../../client/submitError.ts'
import { startAnvil } from '../support/anvil.ts'
import { type Acknowledged, assertKept, feed } from '../support/feed.ts'
import { openTestLane } from '../support/laneFixture.ts'
import { readLane } from '../support/laneOnL1.ts'
import { verifierOf } from '../support/receipts.ts'
import { startSequencerChild } from '../support/sequencerChild.ts'
import { sequencerSettings } from '../support/sequencerFixture.ts'
import { canMountSmallDisks, fillDisk, onSmallDisk } from '../support/smallDisk.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'
import { untilWithin } from '../support/until.ts'

const SENDERS = 4
const ROUNDS = 3
const until = untilWithin(60)

test(`the disk of a sequencer under load is full ${ROUNDS} times: it says so, takes nothing in, and goes on when there is room`, {
  skip: canMountSmallDisks() ? false : 'no small file system can be mounted here',
  timeout: 240_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  const disk = { folder: join(folder.path, 'disk'), megabytes: 64 }
  mkdirSync(disk.folder)
  const lane = await openTestLane({ anvil, evses: SENDERS * 2 + 1, periodsBehind: 100 })
  await anvil.rpc('evm_setIntervalMining', [1])
  const settings = join(folder.path, 'settings.json')
  const batch = { asOfAheadSeconds: 2, maxAgeSeconds: 1 }
  const config = {
    ...sequencerSettings(lane, { folder: folder.path, batch }),
    dataFolder: join(disk.folder, 'sequencer'),
  }
  writeFileSync(settings, JSON.stringify(config))
  await using child = await startSequencerChild(settings, onSmallDisk(disk))
  const { pid } = child.process
  const health = async (): Promise<string> => await (await fetch(new URL('/healthz', child.adminUrl))).text()

  const acknowledged = new Map<string, Acknowledged>()
  const done = new AbortController()
  const running = Promise.all(
    Array.from({ length: SENDERS }, (_, i) =>
      feed({
        fleet: lane.fleet,
        lane: lane.lane,
        verifier: () => verifierOf(lane),
        evses: [2 * i, 2 * i + 1],
        target: { url: child.url },
        acknowledged,
        done: done.signal,
      }),
    ),
  )
  running.catch(() => done.abort())
  const untilMore = async (records: number): Promise<void> => {
    const before = acknowledged.size
    await until('records are acknowledged', () => {
      done.signal.throwIfAborted()
      assert.equal(child.process.exitCode, null, 'the sequencer ended by itself')
      return acknowledged.size >= before + records
    })
  }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      await untilMore(50)
      const giveBack = fillDisk(pid!, disk)
      await until('it says that it cannot write', async () => (await health()).includes('NOT_ACCEPTING'))
      await using client = createHttpClient({ url: child.url, receipts: 'unchecked', retry: { attempts: 1 } })
      const row = lane.fleet.sign(lane.fleet.next(SENDERS * 2))
      await assert.rejects(
        client.submit({ lane: lane.lane, rows: row }),
        (error) => error instanceof SubmitError && error.retryable,
      )
      // Whatever else writes has its turn: batches fall due, transactions are mined.
      const stopped = acknowledged.size
      await sleep(4_000)
      assert.equal(acknowledged.size, stopped, 'nothing is taken in')
      giveBack()
      await until('it takes in again', async () => !(await health()).includes('NOT_ACCEPTING'))
    }
    await untilMore(50)
  } finally {
    done.abort()
  }
  await running
  // What nobody sends again any more comes to L1 from this process: its disk goes with it.
  await until('all is on L1', async () => (await readLane(lane)).rows.length >= acknowledged.size)
  assert.equal(await child.end(), 0)
  assertKept(acknowledged, await readLane(lane))
  console.log({ acknowledged: acknowledged.size, rounds: ROUNDS })
})
