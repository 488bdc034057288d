import type { KeyObject } from 'node:crypto'
import type { L1Client } from '../l1/client.ts'
import type { Contracts } from '../l1/contracts.ts'
import { fetchBatchData } from '../l1/derive/batchData.ts'
import type { BlobSources } from '../l1/derive/fetchBlobs.ts'
import { LaneDeriver } from '../l1/derive/laneDeriver.ts'
import type { DerivedBatch } from '../l1/derive/laneHistory.ts'
import { toHex } from '../l1/bytes.ts'
import { type LaneView, openLaneView } from '../l1/laneView/laneView.ts'
import type { BatchHeader } from '../protocol/batchHeader.ts'
import type { Chunk } from '../protocol/chunk.ts'
import { RECORD_MESSAGE_BYTES, recordDomain, writeRecordMessage } from '../protocol/domain.ts'
import type { LaneRules } from '../protocol/laneRules.ts'
import { LaneState } from '../protocol/laneState.ts'
import { RECORD_BYTES, WINDOW_SECONDS } from '../protocol/limits.ts'
import { parseP256Key, verifyP256 } from '../protocol/p256.ts'
import { recordEvse, SIGNED_RECORD_BYTES } from '../protocol/record.ts'
import { Settlement } from '../protocol/settlement.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'

export interface LaneReplaySettings {
  readonly client: L1Client
  readonly contracts: Contracts
  readonly lane: number
  readonly blobs: BlobSources
  readonly signal?: AbortSignal
}

/** Reads what L1 says of a lane up to the newest block. Nothing is replayed yet. */
export async function openLaneReplay(settings: LaneReplaySettings): Promise<LaneReplay> {
  const { client, contracts, lane, signal } = settings
  const head = await client.getBlock()
  const view = await openLaneView({ client, contracts, lane })
  const deriver = new LaneDeriver({ client, contracts, lane })
  await view.catchUp({ number: head.number, hash: head.hash }, signal)
  await deriver.catchUp({ number: head.number, hash: head.hash }, signal)
  return new LaneReplay(settings, { view, deriver, headSeconds: Number(head.timestamp) })
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
  readonly #headSeconds: number
  readonly #domain: Uint8Array
  readonly #message = new Uint8Array(RECORD_MESSAGE_BYTES)
  readonly #keys = new Map<number, KeyObject | undefined>()
  #header: BatchHeader

  constructor(settings: LaneReplaySettings, parts: { view: LaneView; deriver: LaneDeriver; headSeconds: number }) {
    this.#settings = settings
    this.#view = parts.view
    this.#deriver = parts.deriver
    this.#headSeconds = parts.headSeconds
    this.#header = parts.deriver.history.genesis.header
    const chainId = BigInt(settings.client.chain.id)
    this.#domain = recordDomain({ chainId, rollup: settings.contracts.rollup, lane: settings.lane })
  }

  get rules(): LaneRules {
    return this.#view.rules
  }

  /** Of the newest batch that `state` includes. */
  get header(): BatchHeader {
    return this.#header
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
  async advanceTo(index: bigint, onBatch: (header: BatchHeader) => void = () => {}): Promise<void> {
    if (index < this.#header.index) throw new RangeError(`batch ${index} is behind batch ${this.#header.index}`)
    for (let next = this.#header.index + 1n; next <= index; next++) {
      this.#settings.signal?.throwIfAborted()
      const batch = this.#deriver.history.batch(next)
      if (batch === undefined) throw new RangeError(`there is no batch ${next}`)
      await this.#apply(batch)
      onBatch(batch.header)
    }
  }

  async #apply(batch: DerivedBatch): Promise<void> {
    const { client, contracts, blobs, signal } = this.#settings
    const { header } = batch
    if (header.forcedChunks > 0) {
      throw new BackfeedError(
        'FORCED_CHUNKS_PLANNED',
        `batch ${header.index} has forced chunks, which have no code yet`,
      )
    }
    const { chunks } = await fetchBatchData({ client, contracts, blobs }, batch, this.rules.layout, signal)
    const settlement = new Settlement(this.state, this.rules, header.asOf)
    for (const chunk of chunks) this.#settleChunk(settlement, chunk)
    const root = toHex(this.state.root())
    if (root !== header.postRoot) {
      throw new BackfeedError('WRONG_ROOT', `batch ${header.index} of lane ${header.lane} is fraudulent: prove it`, {
        exitCode: ExitCode.dataCorrupted,
        details: { claimed: header.postRoot, computed: root },
      })
    }
    this.#header = header
  }

  #settleChunk(settlement: Settlement, { body }: Chunk): void {
    for (let at = 0; at + SIGNED_RECORD_BYTES <= body.length; at += SIGNED_RECORD_BYTES) {
      const isSigned = settlement.knowsEvse(body, at) && this.#isSigned(body, at)
      settlement.settle(body, at, isSigned)
    }
  }

  #isSigned(body: Uint8Array, at: number): boolean {
    const { rules } = this
    const evse = recordEvse(body, at)
    if (!this.#keys.has(evse)) this.#keys.set(evse, parseP256Key(rules.evseKey(evse)))
    writeRecordMessage(this.#message, {
      domain: this.#domain,
      record: body,
      recordAt: at,
      position: rules.evsePosition(evse),
      positionAt: 0,
    })
    return verifyP256(this.#keys.get(evse), this.#message, body.subarray(at + RECORD_BYTES, at + SIGNED_RECORD_BYTES))
  }
}
