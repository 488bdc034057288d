import type { SequenceStage } from '../sequencer/sequence/stage.ts'
import { RESULT_BYTES } from '../sequencer/submission.ts'
import { Outcome } from '../protocol/outcome.ts'
import { SIGNED_RECORD_BYTES } from '../protocol/record.ts'
import { type Benchmark, type BenchResult, medians, type Rounds } from './benchmark.ts'
import { REQUEST_RECORDS } from './feeder.ts'
import { defaults, openLocalLane } from './localLane.ts'
import { measure } from './measure.ts'
import { Workload } from './workload.ts'
import { WriterLoad } from './writerLoad.ts'
import { P256_LAYOUT } from '../protocol/scheme.ts'

/** Records waiting for the writer: more than one write takes. */
const WAITING = 8_192

export const settleJournal100k = settleJournal('settle-journal-100k', 100_000)
export const settleJournal1m = settleJournal('settle-journal-1m', 1_000_000)

function settleJournal(name: string, evses: number): Benchmark {
  return {
    name,
    module: import.meta.url,
    title: `settlement, tree and journal of ${evses.toLocaleString('en-US')} EVSEs, signatures taken as verified, beside hashing and journal alone`,
    aims: { recordsPerCpuSecond: { atLeast: 150_000 }, residentMb: { atMost: 700 } },
    run: (options) => run(evses, options.rounds, options.quick ? 65_536 : 131_072),
  }
}

async function run(evses: number, rounds: number, records: number): Promise<BenchResult> {
  await using writer = await openWriter({ evses, records })
  let residentMb = 0
  const { cpu, wall, ...figures } = await medians(rounds, async (index) => {
    const { residentMb: resident, ...measured } = await writer.round(index)
    residentMb = Math.max(residentMb, resident!)
    return measured
  })
  return { ratios: { cpu: cpu!, wall: wall! }, figures: { ...figures, residentMb } }
}

export interface WriterSetting {
  readonly evses: number
  /** A round. */
  readonly records: number
  /** Records of one write to the journal at most. Default: the sequencer's. */
  readonly maxWriteRows?: number
}

/** The writer of a lane, and what its hashing and its journal take alone in another process, in turn. */
export async function openWriter(setting: WriterSetting): Promise<Rounds & { settle(records: number): Promise<void> }> {
  const { evses, records, maxWriteRows = defaults.batch.maxWriteRows } = setting
  await using opening = new AsyncDisposableStack()
  const maxBatchRows = defaults.batch.maxBlobs * P256_LAYOUT.blobRecords
  const lane = opening.use(await openLocalLane(new Workload({ evses, keys: false }), { maxBatchRows, maxWriteRows }))
  const load = opening.use(await WriterLoad.open({ evses, folder: lane.folder }))
  const requestRecords = Math.min(REQUEST_RECORDS, maxWriteRows)
  const settle = async (count: number): Promise<void> => {
    await load.make(count)
    await settleAll(lane.stage, load.requests(requestRecords))
    lane.closed.length = 0
  }
  const round = async (): Promise<Record<string, number>> => {
    await load.make(records)
    const { hashing, journal, pairs } = await load.limit(maxWriteRows)
    const requests = load.requests(requestRecords)
    const spent = await measure(() => settleAll(lane.stage, requests))
    lane.closed.length = 0
    const limit = hashing.cpuSeconds + journal.cpuSeconds
    return {
      cpu: limit / spent.cpuSeconds,
      wall: (hashing.wallSeconds + journal.wallSeconds) / spent.wallSeconds,
      recordsPerCpuSecond: records / spent.cpuSeconds,
      recordsPerThreadSecond: records / spent.threadSeconds,
      recordsPerSecond: records / spent.wallSeconds,
      limitPerCpuSecond: records / limit,
      limitPerSecond: records / (hashing.wallSeconds + journal.wallSeconds),
      hashingMicros: (hashing.cpuSeconds / records) * 1e6,
      bareJournalMicros: (journal.cpuSeconds / records) * 1e6,
      cpuMicros: (spent.cpuSeconds / records) * 1e6,
      hashesPerSecond: pairs / hashing.wallSeconds,
      residentMb: process.memoryUsage.rss() / 1e6,
    }
  }
  const parts = opening.move()
  return { settle, round, [Symbol.asyncDispose]: () => parts.disposeAsync() }
}

/** Hands every request to the writer as verification would, with every signature good, and waits for the durable answers. */
export async function settleAll(stage: SequenceStage, requests: readonly Uint8Array[]): Promise<void> {
  let next = 0
  const feed = async (): Promise<void> => {
    while (next < requests.length) {
      const rows = requests[next++]!
      const work = stage.enqueue(rows, rows.length / SIGNED_RECORD_BYTES)
      work.verdicts.fill(1)
      work.verified()
      const answer = await work.answer
      if (answer.refusal !== undefined) throw new Error(answer.refusal.message)
      for (let at = 0; at < answer.results.length; at += RESULT_BYTES) {
        if (answer.results[at] !== Outcome.SETTLED) throw new Error(`a record came to outcome ${answer.results[at]}`)
      }
    }
  }
  const waiting = Math.ceil((WAITING * SIGNED_RECORD_BYTES) / requests[0]!.length)
  await Promise.all(Array.from({ length: waiting }, feed))
}
