import { Piscina } from 'piscina'
import { BLOB_BYTES } from '../../protocol/chunk.ts'
import { Scheme } from '../../protocol/scheme.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { BatchData, BatchDataSource } from '../batchData.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { type BuiltLane, batchRowsOf } from './batchRows.ts'
import { type BatchRows, writeCalldata } from './chunks.ts'
import type { BatchMetrics } from './metrics.ts'
import type { BatchTask, BuiltBatch } from './worker.ts'

/** Batches that wait for the worker: every lane has one under way and perhaps the next. */
const MAX_QUEUE = 64

export interface BatchBuilderSettings {
  readonly data: 'blob' | 'calldata'
  readonly lanes: ReadonlyMap<number, BuiltLane>
  readonly log: Logger
  readonly metrics?: BatchMetrics | undefined
}

/** Turns closed batches into what L1 takes. Rows come from the journal, checked; aggregates and KZG are made in a thread of its own. */
export class BatchBuilder implements BatchDataSource {
  readonly #settings: BatchBuilderSettings
  readonly #pool: Piscina<BatchTask, BuiltBatch> | undefined
  /** What was made last in each lane: a batch is asked for again when L1 refused it for a while. */
  readonly #last = new Map<number, { batch: ClosedBatch; data: BatchData }>()
  #isClosed = false

  constructor(settings: BatchBuilderSettings) {
    this.#settings = settings
    const hasAggregates = [...settings.lanes.values()].some(({ journal }) => journal.layout.scheme === Scheme.BLS)
    if (settings.data === 'blob' || hasAggregates) {
      this.#pool = new Piscina<BatchTask, BuiltBatch>({
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
    if (this.#settings.data !== 'blob') return
    this.#pool?.run({ kind: 'warm' }).catch((error: unknown) => {
      if (!this.#isClosed) this.#settings.log.error({ err: error }, 'the KZG setup cannot be loaded')
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
    this.#isClosed = true
    await this.#pool?.destroy()
  }

  async #make(batch: ClosedBatch): Promise<BatchData> {
    const lane = this.#settings.lanes.get(batch.lane)
    if (lane === undefined) throw new BackfeedError('LANE_UNKNOWN', `no journal of lane ${batch.lane}`)
    const startedAt = performance.now()
    const made = await this.#run(await batchRowsOf(lane, batch))
    const bytes = made.kind === 'blob' ? made.sidecar.blobs.length * BLOB_BYTES : made.data.length
    this.#settings.metrics?.built(batch.rowCount, bytes, performance.now() - startedAt)
    return made
  }

  async #run(batch: BatchRows): Promise<BatchData> {
    const { data: wanted } = this.#settings
    if (this.#pool === undefined || (wanted === 'calldata' && batch.layout.scheme === Scheme.P256)) {
      return { kind: 'calldata', ...writeCalldata(batch) }
    }
    const built = await this.#pool.run({ kind: wanted === 'blob' ? 'sidecar' : 'calldata', batch })
    switch (built.kind) {
      case 'sidecar':
        return { kind: 'blob', sidecar: built.sidecar, dataWords: built.sidecar.versionedHashes }
      case 'calldata':
        return built
      default:
        throw new Error(`the batch worker made ${built.kind} of a batch`)
    }
  }
}
