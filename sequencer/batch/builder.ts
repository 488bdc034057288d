import { Piscina } from 'piscina'
import type { BlobSidecar } from '../../l1/blobTransaction.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { BatchData, BatchDataSource } from '../batchData.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { readBatchRows } from '../settleBatch.ts'
import type { LaneJournal } from '../store/journal.ts'
import { writeCalldata } from './chunks.ts'
import type { BatchMetrics } from './metrics.ts'
import type { BatchTask } from './worker.ts'

/** Batches that wait for the worker: every lane has one under way and perhaps the next. */
const MAX_QUEUE = 64

export interface BatchBuilderSettings {
  readonly data: 'blob' | 'calldata'
  readonly journals: ReadonlyMap<number, LaneJournal>
  readonly log: Logger
  readonly metrics?: BatchMetrics | undefined
}

/** Turns closed batches into what L1 takes. Rows come from the journal, checked; KZG runs in a thread of its own, loaded once. */
export class BatchBuilder implements BatchDataSource {
  readonly #settings: BatchBuilderSettings
  readonly #pool: Piscina<BatchTask, BlobSidecar | undefined> | undefined
  /** What was made last in each lane: a batch is asked for again when L1 refused it for a while. */
  readonly #last = new Map<number, { batch: ClosedBatch; data: BatchData }>()

  constructor(settings: BatchBuilderSettings) {
    this.#settings = settings
    if (settings.data === 'blob') {
      this.#pool = new Piscina<BatchTask, BlobSidecar | undefined>({
        filename: new URL('./worker.ts', import.meta.url).href,
        minThreads: 1,
        maxThreads: 1,
        concurrentTasksPerWorker: 1,
        maxQueue: MAX_QUEUE,
      })
    }
  }

  /** Starts loading the KZG setup, which takes seconds; returns at once. */
  warm(): void {
    this.#pool?.run({ kind: 'warm' }).catch((error: unknown) => {
      this.#settings.log.error({ err: error }, 'the KZG setup cannot be loaded')
    })
  }

  async prepare(batch: ClosedBatch): Promise<BatchData> {
    const last = this.#last.get(batch.lane)
    if (last?.batch === batch) return last.data
    const data = await this.#make(batch)
    this.#last.set(batch.lane, { batch, data })
    return data
  }

  async close(): Promise<void> {
    await this.#pool?.destroy()
  }

  async #make(batch: ClosedBatch): Promise<BatchData> {
    const journal = this.#settings.journals.get(batch.lane)
    if (journal === undefined) throw new BackfeedError('LANE_UNKNOWN', `no journal of lane ${batch.lane}`)
    const startedAt = performance.now()
    const rows = await readBatchRows(journal, batch)
    const { preRoots } = batch
    const laidOut = { rows, preRoots, forcedChunks: batch.forcedChunks }
    if (this.#pool === undefined) {
      const { data, dataWords } = writeCalldata(laidOut)
      this.#settings.metrics?.built(batch.rowCount, data.length, performance.now() - startedAt)
      return { kind: 'calldata', data, dataWords }
    }
    const sidecar = await this.#pool.run({ kind: 'sidecar', ...laidOut })
    if (sidecar === undefined) throw new Error('the batch worker made no sidecar')
    this.#settings.metrics?.built(batch.rowCount, sidecar.blobs.length * 131_072, performance.now() - startedAt)
    return { kind: 'blob', sidecar, dataWords: sidecar.versionedHashes }
  }
}
