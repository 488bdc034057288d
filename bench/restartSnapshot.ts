import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { P256_LAYOUT } from '../protocol/scheme.ts'
import { silentLogger } from '../runtime/log.ts'
import { pause } from '../runtime/wait.ts'
import { readSnapshot } from '../sequencer/sequence/laneSnapshot.ts'
import { replayLane } from '../sequencer/sequence/replay.ts'
import { SnapshotKeeper } from '../sequencer/store/snapshotKeeper.ts'
import { type Benchmark, type BenchOptions, type BenchResult, medians } from './benchmark.ts'
import { defaults, openLocalLane } from './localLane.ts'
import { measure } from './measure.ts'
import { settleAll } from './settleJournal.ts'
import { RecordMaker, scattered, splitRows } from './recordMaker.ts'
import { ACTIVE_FROM, NOW, Workload } from './workload.ts'

const EVSES = 100_000
const STEP = 500_000
/** Not a divisor of what is written: some entries lie behind the last snapshot. */
const EVERY_ROWS = 900_000

export const restartSnapshot: Benchmark = {
  name: 'restart-snapshot',
  module: import.meta.url,
  title: 'a lane with ten million records in its journal from its snapshot, beside reading the snapshot’s file',
  aims: { seconds: { atMost: 10 } },
  run,
}

async function run({ rounds, quick }: BenchOptions): Promise<BenchResult> {
  const workload = new Workload({ evses: EVSES, keys: false })
  const maker = new RecordMaker({ evses: EVSES, keys: false })
  const records = quick ? 1_000_000 : 10_000_000
  const keeperIn = (folder: string): SnapshotKeeper =>
    new SnapshotKeeper({ path: join(folder, 'snapshot'), everyRows: EVERY_ROWS, log: silentLogger() })
  await using lane = await openLocalLane(workload, {
    maxBatchRows: defaults.batch.maxBlobs * P256_LAYOUT.blobRecords,
    snapshots: keeperIn,
  })
  for (let done = 0; done < records; done += STEP) {
    await settleAll(lane.stage, splitRows(maker.rows(scattered(EVSES, STEP), STEP), 256))
    lane.closed.length = 0
  }
  while (!existsSync(join(lane.folder, 'snapshot'))) await pause(20)
  const root = Buffer.from(lane.stage.book.state.root()).toString('hex')
  const { journal, view } = lane
  const { wall, ...figures } = await medians(rounds, async () => {
    const reading = await measure(async () => await readFile(join(lane.folder, 'snapshot')))
    let reached = ''
    let behind = 0
    const spent = await measure(async () => {
      const saved = await keeperIn(lane.folder).load()
      const snapshot = saved && readSnapshot(saved, journal.lane)
      if (snapshot === undefined) throw new Error('there is no snapshot')
      behind = journal.length - snapshot.head.sequence
      const { rules, domain } = { rules: view.rules, domain: workload.domain }
      const index = await lane.openIndex()
      const book = await replayLane({ journal, rules, domain, openedAsOf: ACTIVE_FROM, now: NOW, snapshot, index })
      reached = Buffer.from(book.state.root()).toString('hex')
    })
    if (reached !== root) throw new Error('the lane came to something else')
    const megabytes = (await readFile(join(lane.folder, 'snapshot'))).length / 1e6
    return {
      wall: reading.wallSeconds / spent.wallSeconds,
      seconds: spent.wallSeconds,
      cpuSeconds: spent.cpuSeconds,
      entriesBehind: behind,
      megabytes,
    }
  })
  return { ratios: { wall: wall! }, figures: { ...figures, records } }
}
