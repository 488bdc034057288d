import { createKzgContext, type KzgContext } from '../l1/kzgCompute.ts'
import { silentLogger } from '../runtime/log.ts'
import { batchRowsOf } from '../sequencer/batch/batchRows.ts'
import { BatchBuilder } from '../sequencer/batch/builder.ts'
import { writeBlobs } from '../sequencer/batch/chunks.ts'
import type { Benchmark, BenchResult } from './benchmark.ts'
import { medians, WARM_UPS } from './benchmark.ts'
import { openLocalLane } from './localLane.ts'
import { measure } from './measure.ts'
import { settleAll } from './settleJournal.ts'
import { inTurn, RecordMaker, splitRows } from './recordMaker.ts'
import { LANE, Workload } from './workload.ts'
import { P256_LAYOUT } from '../protocol/scheme.ts'

const EVSES = 2_000

export const batchBuild: Benchmark = {
  name: 'batch-build',
  module: import.meta.url,
  title: 'a blob from the journal to commitment and cell proofs, beside node-eth-kzg alone',
  aims: { cpuOverKzg: { atMost: 1.1 } },
  run: ({ rounds, quick }) => run(quick ? Math.min(rounds, 2) : rounds),
}

async function run(rounds: number): Promise<BenchResult> {
  const workload = new Workload({ evses: EVSES, keys: false })
  await using lane = await openLocalLane(workload, { maxBatchRows: P256_LAYOUT.blobRecords })
  const count = (rounds + WARM_UPS) * P256_LAYOUT.blobRecords
  const rows = new RecordMaker({ evses: EVSES, keys: false }).rows(
    inTurn({ next: 0 }, { from: 0, step: 1, end: EVSES }, count),
    count,
  )
  await settleAll(lane.stage, splitRows(rows, 256))
  const batches = lane.closed.splice(0)

  // The addon itself, with nothing of ours between.
  const kzg = createKzgContext()
  const builder = new BatchBuilder({
    data: 'blob',
    lanes: new Map([[LANE, { journal: lane.journal, rules: workload.rules }]]),
    log: silentLogger(),
  })
  try {
    builder.warm()
    const { cpuOverKzg, wallOverKzg, ...figures } = await medians(rounds, async (index) => {
      const batch = batches[index]!
      const blobs = writeBlobs(await batchRowsOf({ journal: lane.journal, rules: workload.rules }, batch))
      const alone = (): Promise<void> => proveAll(kzg, blobs)
      const early = index % 2 === 0 ? await measure(alone) : undefined
      const spent = await measure(() => builder.prepare(batch))
      const limit = early ?? (await measure(alone))
      return {
        cpuOverKzg: spent.cpuSeconds / limit.cpuSeconds,
        wallOverKzg: spent.wallSeconds / limit.wallSeconds,
        mainThreadMs: spent.threadSeconds * 1e3,
        buildCpuMs: spent.cpuSeconds * 1e3,
        kzgCpuMs: limit.cpuSeconds * 1e3,
        cpuMicrosARecord: (spent.cpuSeconds / P256_LAYOUT.blobRecords) * 1e6,
      }
    })
    return { ratios: { cpuOverKzg: cpuOverKzg!, wallOverKzg: wallOverKzg! }, figures }
  } finally {
    await builder.close()
  }
}

async function proveAll(kzg: KzgContext, blobs: readonly Uint8Array[]): Promise<void> {
  for (const blob of blobs) {
    kzg.blobToKzgCommitment(blob)
    kzg.computeCellsAndKzgProofs(blob)
  }
}
