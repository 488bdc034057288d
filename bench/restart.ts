import { TREE_DEPTH } from '../protocol/limits.ts'
import { replayLane } from '../sequencer/sequence/replay.ts'
import { EntryKind } from '../sequencer/store/entry.ts'
import { type Benchmark, type BenchOptions, type BenchResult, medians } from './benchmark.ts'
import { bareHashing, pairsToHash } from './bareState.ts'
import { defaults, openLocalLane } from './localLane.ts'
import { measure } from './measure.ts'
import { settleAll } from './settleJournal.ts'
import { RecordMaker, scattered, splitRows } from './recordMaker.ts'
import { ACTIVE_FROM, NOW, Workload } from './workload.ts'
import { P256_LAYOUT } from '../protocol/scheme.ts'

const EVSES = 10_000

export const restart: Benchmark = {
  name: 'restart',
  module: import.meta.url,
  title:
    'a lane from its journal: every record settled and every root computed again, beside reading and hashing alone',
  aims: { recordsPerCpuSecond: { atLeast: 200_000 } },
  run,
}

async function run({ rounds, quick }: BenchOptions): Promise<BenchResult> {
  const workload = new Workload({ evses: EVSES, keys: false })
  const maker = new RecordMaker({ evses: EVSES, keys: false })
  const records = quick ? 131_072 : 524_288
  await using lane = await openLocalLane(workload, { maxBatchRows: defaults.batch.maxBlobs * P256_LAYOUT.blobRecords })
  const rows = maker.rows(scattered(EVSES, records), records)
  await settleAll(lane.stage, splitRows(rows, 256))
  const root = Buffer.from(lane.stage.book.state.root()).toString('hex')
  const calls = pairsToHash(rows, TREE_DEPTH)
  const { journal, view } = lane
  const { cpu, wall, ...figures } = await medians(rounds, async () => {
    let read = 0
    const reading = await measure(async () => {
      for await (const { entry } of journal.read()) if (entry.kind === EntryKind.RECORDS) read += entry.count
    })
    const hashing = await bareHashing(calls)
    let reached = ''
    const spent = await measure(async () => {
      const book = await replayLane({
        journal,
        rules: view.rules,
        domain: workload.domain,
        openedAsOf: ACTIVE_FROM,
        now: NOW,
        index: await lane.openIndex(),
      })
      reached = Buffer.from(book.state.root()).toString('hex')
    })
    if (read !== records || reached !== root) throw new Error('the replay came to something else')
    return {
      cpu: (reading.cpuSeconds + hashing.cpuSeconds) / spent.cpuSeconds,
      wall: (reading.wallSeconds + hashing.wallSeconds) / spent.wallSeconds,
      recordsPerCpuSecond: records / spent.cpuSeconds,
      recordsPerSecond: records / spent.wallSeconds,
      cpuMicros: (spent.cpuSeconds / records) * 1e6,
      readingMicros: (reading.cpuSeconds / records) * 1e6,
      hashingMicros: (hashing.cpuSeconds / records) * 1e6,
    }
  })
  return { ratios: { cpu: cpu!, wall: wall! }, figures }
}
