import type { L1Client } from '../l1/client.ts'
import type { Contracts } from '../l1/contracts.ts'
import { type BatchData, fetchBatchData } from '../l1/derive/batchData.ts'
import type { BlobSources } from '../l1/derive/fetchBlobs.ts'
import { LaneDeriver } from '../l1/derive/laneDeriver.ts'
import type { DerivedBatch } from '../l1/derive/laneHistory.ts'
import { toHex } from '../l1/bytes.ts'
import { ForcedView } from '../l1/forced/forcedView.ts'
import { type LaneView, openLaneView } from '../l1/laneView/laneView.ts'
import type { BatchHeader } from '../protocol/batchHeader.ts'
import { type SettlingChunk, settlingChunks } from '../protocol/chunk.ts'
import { type ChunkSignatures, chunkSignatures } from '../protocol/chunkSignatures.ts'
import { recordDomain } from '../protocol/domain.ts'
import type { LaneRules } from '../protocol/laneRules.ts'
import { forcedRuns } from '../protocol/forced.ts'
import { LaneState } from '../protocol/laneState.ts'
import { WINDOW_SECONDS } from '../protocol/limits.ts'
import type { Outcome } from '../protocol/outcome.ts'
import { Settlement } from '../protocol/settlement.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'

export interface LaneReplaySettings {
  readonly client: L1Client
  readonly contracts: Contracts
  readonly lane: number
  readonly blobs: BlobSources
  readonly signal?: AbortSignal
}

/** A chunk about to be settled: the replay's state is the one before it. */
export interface ReplayedChunk {
  readonly batch: DerivedBatch
  readonly parent: BatchHeader
  readonly data: BatchData
  readonly index: number
  readonly chunk: SettlingChunk
}

/** A record just settled, or not. */
export interface ReplayedRecord {
  readonly bytes: Uint8Array
  readonly at: number
  /** In its chunk. */
  readonly row: number
  readonly outcome: Outcome
  /** What it was worth, if it settled. */
  readonly amountMicro: number
}

/** Looks on. */
export interface ReplayObserver {
  onBatch?(header: BatchHeader): void
  beforeChunk?(chunk: ReplayedChunk): void
  onRecord?(record: ReplayedRecord): void
}

/** Reads what L1 says of a lane up to the newest block. Nothing is replayed yet. */
export async function openLaneReplay(settings: LaneReplaySettings): Promise<LaneReplay> {
  const { client, contracts, lane, signal } = settings
  const head = await client.getBlock()
  const view = await openLaneView({ client, contracts, lane })
  const deriver = new LaneDeriver({ client, contracts, lane })
  await view.catchUp({ number: head.number, hash: head.hash }, signal)
  const queue = new ForcedView({ client, contracts, lane })
  await queue.catchUp({ number: head.number, hash: head.hash }, signal)
  await deriver.catchUp({ number: head.number, hash: head.hash }, signal)
  return new LaneReplay(settings, { view, deriver, queue, headSeconds: Number(head.timestamp) })
}

/**
 * A lane's state worked out from L1 alone: every batch settled again, signatures included, and its root compared. Whoever withdraws
 * by it need trust no sequencer.
 */
export class LaneReplay {
  readonly state = new LaneState()
  readonly #settings: LaneReplaySettings
  readonly #view: LaneView
  readonly #deriver: LaneDeriver
  readonly #queue: ForcedView
  readonly #headSeconds: number
  readonly #signatures: ChunkSignatures
  #header: BatchHeader

  constructor(
    settings: LaneReplaySettings,
    parts: { view: LaneView; deriver: LaneDeriver; queue: ForcedView; headSeconds: number },
  ) {
    this.#settings = settings
    this.#view = parts.view
    this.#deriver = parts.deriver
    this.#queue = parts.queue
    this.#headSeconds = parts.headSeconds
    this.#header = parts.deriver.history.genesis.header
    const chainId = BigInt(settings.client.chain.id)
    const domain = recordDomain({ chainId, rollup: settings.contracts.rollup, lane: settings.lane })
    this.#signatures = chunkSignatures({ rules: parts.view.rules, domain })
  }

  get rules(): LaneRules {
    return this.#view.rules
  }

  /** Of the newest batch that `state` includes. */
  get header(): BatchHeader {
    return this.#header
  }

  /** Batches 1, 2, … on L1. */
  get live(): readonly DerivedBatch[] {
    return this.#deriver.history.live
  }

  get tipIndex(): bigint {
    return BigInt(this.#deriver.history.live.length)
  }

  /** Newest batch whose window had passed at the head; 0 while there is none. */
  get finalIndex(): bigint {
    const { live } = this.#deriver.history
    let final = live.length
    while (final > 0 && live[final - 1]!.submittedAt + WINDOW_SECONDS > this.#headSeconds) final--
    return BigInt(final)
  }

  /** Settles batches up to `index`, which lies ahead. @throws BackfeedError WRONG_ROOT when a batch claims what it does not come to */
  async advanceTo(index: bigint, observer: ReplayObserver = {}): Promise<void> {
    if (index < this.#header.index) throw new RangeError(`batch ${index} is behind batch ${this.#header.index}`)
    for (let next = this.#header.index + 1n; next <= index; next++) {
      this.#settings.signal?.throwIfAborted()
      const batch = this.#deriver.history.batch(next)
      if (batch === undefined) throw new RangeError(`there is no batch ${next}`)
      await this.#apply(batch, observer)
      observer.onBatch?.(batch.header)
    }
  }

  async #apply(batch: DerivedBatch, observer: ReplayObserver): Promise<void> {
    const { client, contracts, blobs, signal } = this.#settings
    const { header } = batch
    const data = await fetchBatchData({ client, contracts, blobs }, batch, this.rules.layout, signal)
    const settlement = new Settlement(this.state, this.rules, header.asOf)
    const forced = forcedRuns(this.#queue.entriesOf(header), this.rules.layout.chunkRecords)
    const parent = this.#header
    for (const [index, chunk] of settlingChunks(this.rules.layout, data.chunks, forced).entries()) {
      observer.beforeChunk?.({ batch, parent, data, index, chunk })
      const verdicts = this.#signatures.judge(settlement, chunk)
      const { bytes, at: first, stride } = chunk.records
      for (const [row, verdict] of verdicts.entries()) {
        const at = first + row * stride
        const outcome = chunk.isForced
          ? settlement.settleForced(bytes, at)
          : settlement.settle(bytes, at, verdict === 1)
        observer.onRecord?.({ bytes, at, row, outcome, amountMicro: settlement.amountMicro })
      }
    }
    const root = toHex(this.state.root())
    if (root !== header.postRoot) {
      throw new BackfeedError('WRONG_ROOT', `batch ${header.index} of lane ${header.lane} is fraudulent: prove it`, {
        exitCode: ExitCode.dataCorrupted,
        details: { claimed: header.postRoot, computed: root },
      })
    }
    this.#header = header
  }
}
