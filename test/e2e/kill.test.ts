import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSequencer } from '../../sequencer/main.ts'
import { startAnvil } from '../support/anvil.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { type Acknowledged, assertKept, type FeedTarget, feed } from '../support/feed.ts'
import { forceRow } from '../support/forceRow.ts'
import { withSeed } from '../support/generators/random.ts'
import { openTestLane } from '../support/laneFixture.ts'
import { verifierOf } from '../support/receipts.ts'
import { readLane } from '../support/laneOnL1.ts'
import { type SequencerChild, startSequencerChild } from '../support/sequencerChild.ts'
import { sequencerConfig, sequencerSettings } from '../support/sequencerFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'

const KILLS = Number(process.env.KILLS ?? 10)
const SENDERS = 6

test(`nothing acknowledged is lost when the sequencer is killed ${KILLS} times under load`, {
  timeout: 300_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  // One charger more than are served: its records reach the lane by L1's queue alone.
  const lane = await openTestLane({ anvil, evses: SENDERS * 2 + 1, periodsBehind: 100 })
  // From here on blocks come by themselves: batches are dated, closed and posted while processes die.
  await anvil.rpc('evm_setIntervalMining', [1])
  const options = { folder: folder.path, batch: { asOfAheadSeconds: 2, maxAgeSeconds: 1 } }
  const settings = join(folder.path, 'settings.json')
  writeFileSync(settings, JSON.stringify(sequencerSettings(lane, options)))

  const acknowledged = new Map<string, Acknowledged>()
  let forced = 0
  await withSeed('test/e2e/kill.test.ts', async (random) => {
    const target: FeedTarget = { url: undefined }
    const done = new AbortController()
    const senders = Array.from({ length: SENDERS }, (_, i) =>
      feed({
        fleet: lane.fleet,
        lane: lane.lane,
        verifier: () => verifierOf(lane),
        evses: [2 * i, 2 * i + 1],
        target,
        acknowledged,
        done: done.signal,
      }),
    )
    const running = Promise.all(senders)
    running.catch(() => done.abort())
    let last: SequencerChild
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        const child = await startSequencerChild(settings)
        target.url = child.url
        await forceRow(lane, lane.fleet.sign(lane.fleet.next(SENDERS * 2)))
        forced++
        await sleep(random.int(100, 2_500), undefined, { signal: done.signal })
        assert.equal(child.process.exitCode, null, 'the sequencer ended by itself')
        child.process.kill('SIGKILL')
        await once(child.process, 'exit')
        target.url = undefined
      }
      last = await startSequencerChild(settings)
      target.url = last.url
      await sleep(300)
    } finally {
      done.abort()
    }
    await running
    assert.equal(await last.end(), 0)
  })
  assert.ok(acknowledged.size > 20 * KILLS, `only ${acknowledged.size} records were acknowledged`)

  {
    await using sequencer = await startSequencer(sequencerConfig(lane, options))
    const isTaken = () => sequencer.queries.lane(lane.lane)!.forced.taken === forced
    for (let i = 0; i < 1_000 && !isTaken(); i++) await sleep(20)
    await sequencer.closeBatch(lane.lane)
    await sequencer.idle(lane.lane, AbortSignal.timeout(90_000))
  }
  const onL1 = await readLane(lane)
  assertKept(acknowledged, onL1)
  const outcomes = onL1.forced.map(({ outcome }) => outcome)
  assert.deepEqual(outcomes, Array(forced).fill(Outcome.SETTLED), 'each forced record is settled, once')
  console.log({ acknowledged: acknowledged.size, onL1: onL1.rows.length, batches: onL1.batches.length, kills: KILLS })
})
