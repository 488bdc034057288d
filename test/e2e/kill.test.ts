import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLaneReplay } from '../../bridge/laneReplay.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { parseConfig } from '../../runtime/config.ts'
import { type SequencerConfig, sequencerConfigSchema } from '../../sequencer/config.ts'
import { startSequencer } from '../../sequencer/main.ts'
import { startAnvil } from '../support/anvil.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { type Acknowledged, assertKept, type FeedTarget, feed } from '../support/feed.ts'
import { forceRow } from '../support/forceRow.ts'
import { withSeed } from '../support/generators/random.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { verifierOf } from '../support/receipts.ts'
import { type LaneOnL1, readLane } from '../support/laneOnL1.ts'
import { type SequencerChild, startSequencerChild } from '../support/sequencerChild.ts'
import { sequencerSettings } from '../support/sequencerFixture.ts'
import { temporaryFolder } from '../support/temporaryFolder.ts'
import { untilWithin } from '../support/until.ts'

const KILLS = Number(process.env.KILLS ?? 10)
const SENDERS = 6
/** Of the BLS lane, whose signatures cost this side a millisecond each. */
const BLS_SENDERS = 2
const BLS_PAUSE_MS = 100
const until = untilWithin(180)

test(`nothing acknowledged is lost when a sequencer of lanes of both schemes is killed ${KILLS} times under load`, {
  timeout: 300_000 + KILLS * 60_000,
}, async () => {
  await using anvil = await startAnvil()
  await using folder = await temporaryFolder()
  // One charger more than are served: its records reach the lane by L1's queue alone.
  const lane = await openTestLane({ anvil, evses: SENDERS * 2 + 1, periodsBehind: 100 })
  const bls = await openTestLane({
    anvil,
    evses: BLS_SENDERS * 2,
    layout: BLS_LAYOUT,
    beside: lane,
    periodsBehind: 100,
  })
  // From here on blocks come by themselves: batches are dated, closed and posted while processes die.
  await anvil.rpc('evm_setIntervalMining', [1])
  const options = { folder: folder.path, batch: { asOfAheadSeconds: 2, maxAgeSeconds: 1 } }
  const settings = join(folder.path, 'settings.json')
  const config = { ...sequencerSettings(lane, options), lanes: [lane.lane, bls.lane] }
  writeFileSync(settings, JSON.stringify(config))

  const acknowledged = new Map<string, Acknowledged>()
  const acknowledgedBls = new Map<string, Acknowledged>()
  let forced = 0
  await withSeed('test/e2e/kill.test.ts', async (random) => {
    const target: FeedTarget = { url: undefined }
    const done = new AbortController()
    const senders = (of: TestLane, count: number, into: Map<string, Acknowledged>, pauseMs: number): Promise<void>[] =>
      Array.from({ length: count }, (_, i) =>
        feed({
          fleet: of.fleet,
          lane: of.lane,
          verifier: () => verifierOf(of),
          evses: [2 * i, 2 * i + 1],
          target,
          acknowledged: into,
          pauseMs,
          done: done.signal,
        }),
      )
    const running = Promise.all([
      ...senders(lane, SENDERS, acknowledged, 0),
      ...senders(bls, BLS_SENDERS, acknowledgedBls, BLS_PAUSE_MS),
    ])
    running.catch(() => done.abort())
    let last: SequencerChild
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        const child = await startSequencerChild(settings)
        target.url = child.url
        await forceRow(lane, lane.fleet.sign(lane.fleet.next(SENDERS * 2)))
        forced++
        const [p256Size, blsSize] = [acknowledged.size, acknowledgedBls.size]
        await sleep(random.int(100, 2_500), undefined, { signal: done.signal })
        // A machine that is busy: what is killed is a sequencer at work.
        await until('records are acknowledged in both lanes', () => {
          done.signal.throwIfAborted()
          return acknowledged.size > p256Size + 20 && acknowledgedBls.size > blsSize + 2
        })
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
  assert.ok(acknowledgedBls.size > 2 * KILLS, `only ${acknowledgedBls.size} BLS records were acknowledged`)

  {
    await using sequencer = await startSequencer(parseConfig(sequencerConfigSchema, config) as SequencerConfig)
    const isTaken = () => sequencer.queries.lane(lane.lane)!.forced.taken === forced
    await until('forced records are taken', isTaken)
    for (const { lane: id } of [lane, bls]) {
      await sequencer.closeBatch(id)
      await sequencer.idle(id, AbortSignal.timeout(180_000))
    }
  }
  const onL1 = await readLane(lane)
  assertKept(acknowledged, onL1)
  const outcomes = onL1.forced.map(({ outcome }) => outcome)
  assert.deepEqual(outcomes, Array(forced).fill(Outcome.SETTLED), 'each forced record is settled, once')
  const blsOnL1 = await readLane(bls)
  assertKept(acknowledgedBls, blsOnL1)
  // Every chunk's sum of signatures fits its records.
  const replay = await openLaneReplay({
    client: bls.client,
    contracts: bls.contracts,
    lane: bls.lane,
    blobs: { sources: [] },
  })
  await replay.advanceTo(replay.tipIndex)
  assert.equal(replay.state.position, blsOnL1.rows.length)
  const counts = (kept: ReadonlyMap<string, Acknowledged>, { rows, batches }: LaneOnL1): object => ({
    acknowledged: kept.size,
    onL1: rows.length,
    batches: batches.length,
  })
  console.log({ p256: counts(acknowledged, onL1), bls: counts(acknowledgedBls, blsOnL1), kills: KILLS })
})
