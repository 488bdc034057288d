import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { letHeapGrow } from '../runtime/heapGrowth.ts'
import { silentLogger } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import type { ClosedBatch } from '../sequencer/closedBatch.ts'
import { sequencerConfigSchema } from '../sequencer/config.ts'
import { ReceiptDesk } from '../sequencer/receipts/receiptDesk.ts'
import { keySigner } from '../sequencer/receipts/signer.ts'
import { sequenceMetrics } from '../sequencer/sequence/metrics.ts'
import { replayLane } from '../sequencer/sequence/replay.ts'
import type { SnapshotKeeper } from '../sequencer/store/snapshotKeeper.ts'
import { SequenceStage } from '../sequencer/sequence/stage.ts'
import { openDatabase } from '../sequencer/store/database.ts'
import { LaneJournal } from '../sequencer/store/journal.ts'
import { RecordIndex } from '../sequencer/store/recordIndex.ts'
import { ACTIVE_FROM, LANE, NOW, OWNER, type Workload } from './workload.ts'

export const defaults = {
  verify: sequencerConfigSchema.shape.verify.parse({}),
  batch: sequencerConfigSchema.shape.batch.parse({}),
}

export interface LocalLane extends AsyncDisposable {
  readonly folder: string
  readonly stage: SequenceStage
  readonly journal: LaneJournal
  /** A second one of the lane, as its next start would open it. */
  openIndex(): Promise<RecordIndex>
  readonly view: { rules: Workload['rules']; finalTime: number; finalBlock: bigint; forced: readonly [] }
  readonly metrics: ReturnType<typeof createMetrics>
  /** Batches closed since this was emptied. */
  readonly closed: ClosedBatch[]
}

/** A lane's writer over a store on disk as a sequencer wires it, with L1 left out: rules in memory, closed batches taken as posted. */
export async function openLocalLane(
  workload: Workload,
  options: { maxBatchRows: number; maxWriteRows?: number; snapshots?: (folder: string) => SnapshotKeeper },
): Promise<LocalLane> {
  letHeapGrow()
  const folder = await mkdtemp(join(tmpdir(), 'backfeed-bench-'))
  const database = await openDatabase(folder, OWNER)
  const journal = await LaneJournal.open(database, { lane: LANE, layout: workload.rules.layout })
  const view = { rules: workload.rules, finalTime: NOW - 60, finalBlock: 1n, forced: [] as const }
  const { rules, domain } = workload
  const openIndex = () => RecordIndex.open(database, journal)
  const index = await openIndex()
  const book = await replayLane({ journal, rules, domain, openedAsOf: ACTIVE_FROM, now: NOW, index })
  const metrics = createMetrics({ service: 'bench', process: false })
  const closed: ClosedBatch[] = []
  const clock = { now: () => NOW }
  const receipts = new ReceiptDesk({
    lane: LANE,
    chainId: BigInt(OWNER.chainId),
    rollup: OWNER.rollup as `0x${string}`,
    rowBytes: workload.rules.layout.rowBytes,
    journal,
    database,
    signer: await keySigner(`0x${'1'.padStart(64, '0')}`),
    clock,
    log: silentLogger(),
  })
  const stage: SequenceStage = new SequenceStage({
    book,
    journal,
    index,
    view,
    clock,
    receipts,
    snapshots: options.snapshots?.(folder),
    domain,
    openedAsOf: ACTIVE_FROM,
    aheadSeconds: defaults.batch.asOfAheadSeconds,
    maxAgeSeconds: defaults.batch.maxAgeSeconds,
    maxBatchRows: () => options.maxBatchRows,
    maxWriteRows: options.maxWriteRows ?? defaults.batch.maxWriteRows,
    maxBacklog: defaults.batch.maxBacklog,
    log: silentLogger(),
    metrics: sequenceMetrics(metrics)(LANE),
    onClosed: (batch) => {
      closed.push(batch)
      stage.setPosted(batch.index)
    },
    onFault: (error) => {
      throw error
    },
  })
  const dispose = async (): Promise<void> => {
    await stage.stop()
    await receipts.flush()
    journal.close()
    await database.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { folder, stage, journal, openIndex, view, metrics, closed, [Symbol.asyncDispose]: dispose }
}
