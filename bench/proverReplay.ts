import { availableParallelism } from 'node:os'
import type { DerivedBatch, DerivedGenesis } from '../l1/derive/laneHistory.ts'
import { toHex } from '../l1/bytes.ts'
import { type BatchHeader, genesisHeader, hashHeader } from '../protocol/batchHeader.ts'
import type { Chunk } from '../protocol/chunk.ts'
import { SIGNED_RECORD_BYTES } from '../protocol/record.ts'
import { LaneChecker } from '../prover/replay/laneChecker.ts'
import { SignaturePool } from '../prover/replay/signaturePool.ts'
import { type ClosedBatch, rootAt } from '../sequencer/closedBatch.ts'
import { readBatchRows } from '../sequencer/settleBatch.ts'
import { BareVerify } from './bareVerify.ts'
import { type Benchmark, type BenchOptions, type BenchResult, medians } from './benchmark.ts'
import { Feeder, REQUEST_RECORDS } from './feeder.ts'
import { measure } from './measure.ts'
import { RecordMaker } from './recordMaker.ts'
import { openWiredLane, type WiredLane } from './wiredLane.ts'
import { ACTIVE_FROM, LANE, OWNER, Workload } from './workload.ts'
import { P256_LAYOUT, Scheme } from '../protocol/scheme.ts'

const WAITING = 16

export const proverReplay: Benchmark = {
  name: 'prover-replay',
  module: import.meta.url,
  title: "a prover's re-execution, signatures included, beside the sequencer at the same records without a wire",
  aims: { cpuOfSequencer: { atLeast: 1 }, wallOfSequencer: { atLeast: 1 } },
  run,
}

async function run(options: BenchOptions): Promise<BenchResult> {
  const workload = new Workload({ evses: options.evses, keys: true })
  const feeder = new Feeder(new RecordMaker({ evses: options.evses, keys: true }), 1)
  const records = (options.quick ? 2 : 6) * P256_LAYOUT.blobRecords
  await using bare = new BareVerify(workload, feeder.next(Math.ceil(options.evses / REQUEST_RECORDS)).rows)
  await using wired = await openWiredLane(workload)
  const verifier = new SignaturePool({ workers: availableParallelism() })
  const { domain, rules } = workload
  const header = genesisHeader(LANE, ACTIVE_FROM)
  const place = { blockNumber: 0n, blockHash: header.l1Hash, txHash: header.l1Hash }
  const genesis: DerivedGenesis = {
    header,
    headerHash: hashHeader(header),
    zone: 0,
    scheme: Scheme.P256,
    owner: OWNER.rollup,
    place,
  }
  const checker = new LaneChecker({ genesis, domain, verifier })
  try {
    const round = async (index: number): Promise<Record<string, number>> => {
      const { bodies } = feeder.next(records / 128, 128)
      const sequenced = await measure(() => submitAll(wired, bodies[0]!))
      await wired.lane.stage.closeBatch()
      const batches = wired.lane.closed.splice(0)
      const derived = await Promise.all(batches.map((batch) => derive(wired, batch, place)))
      let checked = 0
      const replayed = await measure(async () => {
        for (const { batch, chunks } of derived) {
          const result = await checker.check(batch, { chunks, raw: [], blobs: [] }, rules, [])
          if (result.kind !== 'right') throw new Error('the prover finds the sequencer wrong')
          checked += result.settled
        }
      })
      if (checked !== records) throw new Error(`${checked} of ${records} records checked in round ${index}`)
      const limit = await bare.run(records)
      return {
        cpuOfSequencer: sequenced.cpuSeconds / replayed.cpuSeconds,
        wallOfSequencer: sequenced.wallSeconds / replayed.wallSeconds,
        cpu: limit.cpuSeconds / replayed.cpuSeconds,
        sequencerCpu: limit.cpuSeconds / sequenced.cpuSeconds,
        cpuMicros: (replayed.cpuSeconds / records) * 1e6,
        mainThreadMicros: (replayed.threadSeconds / records) * 1e6,
        sequencerCpuMicros: (sequenced.cpuSeconds / records) * 1e6,
        bareCpuMicros: (limit.cpuSeconds / records) * 1e6,
        recordsPerSecond: records / replayed.wallSeconds,
      }
    }
    const { cpuOfSequencer, wallOfSequencer, cpu, sequencerCpu, ...figures } = await medians(options.rounds, round)
    const ratios = {
      cpuOfSequencer: cpuOfSequencer!,
      wallOfSequencer: wallOfSequencer!,
      cpu: cpu!,
      sequencerCpu: sequencerCpu!,
    }
    return { ratios, figures }
  } finally {
    await verifier.close()
  }
}

async function submitAll(wired: WiredLane, requests: readonly Uint8Array[]): Promise<void> {
  let next = 0
  const feed = async (): Promise<void> => {
    while (next < requests.length) {
      const rows = requests[next++]!
      const answer = await wired.sink.submit({ lane: LANE, rows, count: rows.length / SIGNED_RECORD_BYTES })
      if (answer.refusal !== undefined) throw new Error(answer.refusal.message)
    }
  }
  await Promise.all(Array.from({ length: WAITING }, feed))
}

let parentHash = hashHeader(genesisHeader(LANE, ACTIVE_FROM))

/** What deriving the batch from L1 would give. */
async function derive(
  wired: WiredLane,
  closed: ClosedBatch,
  place: DerivedBatch['place'],
): Promise<{ batch: DerivedBatch; chunks: Chunk[] }> {
  const { rows } = await readBatchRows(wired.lane.journal, closed)
  const chunks = Array.from({ length: closed.chunkCount }, (_, k) => {
    const preRoot = rootAt(closed.preRoots, k)
    const body = new Uint8Array(P256_LAYOUT.bodyBytes)
    body.set(rows.subarray(k * P256_LAYOUT.bodyBytes, (k + 1) * P256_LAYOUT.bodyBytes))
    return { preRoot, body }
  })
  const header: BatchHeader = {
    ...genesisHeader(LANE, ACTIVE_FROM),
    index: BigInt(closed.index),
    parentHash,
    postRoot: toHex(closed.postRoot),
    asOf: closed.asOf,
    chunkCount: chunks.length,
  }
  parentHash = hashHeader(header)
  return { batch: { header, headerHash: parentHash, dataWords: [], submittedAt: 0, place }, chunks }
}
