import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import { describeError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { eventId, type WebhookEvent } from '../../runtime/webhooks/event.ts'
import { joined, type Webhooks } from '../../runtime/webhooks/webhooks.ts'
import {
  decodeJson,
  encodeJson,
  keyNumber,
  type WebhookOp,
  type WebhookStore,
} from '../../runtime/webhooks/webhookStore.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { MAX_QUEUED_BATCH_EVENTS } from '../limits.ts'
import type { BatchWebhookConfig } from '../webhookConfig.ts'
import { type BatchData, batchData, type RevertedData } from './events.ts'
import { type BatchCursor, type LaneOnL1, nextTelling, type Telling, type Told } from './nextTelling.ts'

// How far each receiver was told of each lane:
//
//   hook/c/name/lane         cursor
//   hook/b/name/lane/index   what was told of a batch that is posted and not final

const CURSORS = 'hook/c/'
const TOLD = 'hook/b/'

interface StoredCursor {
  readonly final: number
  readonly posted: number
  /** Events of this kind so far: a batch that comes back where it was is another event. */
  readonly reverts: number
}

/** A lane, for its receivers. */
export interface ToldLane extends LaneOnL1 {
  readonly lane: number
  readonly closed: (index: number) => ClosedBatch | undefined
  /** Whether a fraud proof took the batch of this header. */
  readonly isProven: (headerHash: string) => boolean
}

export interface BatchTellerSettings {
  readonly configs: readonly BatchWebhookConfig[]
  readonly deployment: BatchData['deployment']
  readonly webhooks: Webhooks
  readonly store: WebhookStore
  readonly log: Logger
}

/**
 * Tells receivers of batches, from a cursor over what journal and L1 hold. A receiver that does not answer stops its cursor, and nothing is dropped:
 * what it was not told is told when it comes back.
 */
export class BatchTeller {
  readonly #settings: BatchTellerSettings
  readonly #cursors = new Map<string, StoredCursor>()
  /** The newest that is told as posted. */
  readonly #newest = new Map<string, Told>()
  #isFailing = false

  constructor(settings: BatchTellerSettings) {
    this.#settings = settings
  }

  /** @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
  async load(): Promise<void> {
    for await (const [key, value] of this.#settings.store.entries(CURSORS)) {
      const cursor = read<StoredCursor>(key, value)
      const place = key.slice(CURSORS.length)
      this.#cursors.set(place, cursor)
      await this.#findNewest(place, cursor)
    }
  }

  /** Tells what is new, as far as queues have room. Never throws: what could not be written is told at the next look. */
  async look(lane: ToldLane): Promise<void> {
    try {
      for (const config of this.#settings.configs) await this.#lookFor(config, lane)
      this.#isFailing = false
    } catch (error) {
      if (!this.#isFailing) {
        this.#settings.log.error(
          { lane: lane.lane, err: error },
          `webhooks: batches are not told: ${describeError(error)}`,
        )
      }
      this.#isFailing = true
    }
  }

  /** How far each receiver was told. */
  status(): { webhook: string; lane: number; toldPosted: number; toldFinal: number }[] {
    return [...this.#cursors].map(([place, { posted, final }]) => {
      const [webhook = '', lane] = place.split('/')
      return { webhook, lane: Number(lane), toldPosted: posted, toldFinal: final }
    })
  }

  async #lookFor(config: BatchWebhookConfig, lane: ToldLane): Promise<void> {
    const { webhooks } = this.#settings
    const place = `${config.name}/${lane.lane}`
    const stored = this.#cursors.get(place) ?? (await this.#begin(place, config, lane))
    for (let cursor = stored; webhooks.waiting(config.name) < MAX_QUEUED_BATCH_EVENTS; ) {
      const telling = nextTelling(this.#cursor(place, cursor), lane)
      if (telling === undefined) return
      cursor = await this.#tell(place, config.name, { cursor, telling, lane })
    }
  }

  /** A receiver that was never told anything of this lane. */
  async #begin(place: string, { startAt }: BatchWebhookConfig, lane: ToldLane): Promise<StoredCursor> {
    const isNow = startAt === 'now'
    const cursor = { final: isNow ? lane.final : 0, posted: isNow ? lane.posted : 0, reverts: 0 }
    const ops: WebhookOp[] = [{ key: CURSORS + place, value: encodeJson(cursor) }]
    for (let index = cursor.final + 1; index <= cursor.posted; index++) {
      ops.push({ key: toldKey(place, index), value: encodeJson(this.#dataOf(lane, index)) })
    }
    await this.#settings.store.write(ops)
    this.#cursors.set(place, cursor)
    await this.#findNewest(place, cursor)
    return cursor
  }

  async #tell(
    place: string,
    name: string,
    { cursor, telling, lane }: { cursor: StoredCursor; telling: Telling; lane: ToldLane },
  ): Promise<StoredCursor> {
    const { store, webhooks } = this.#settings
    const { kind, index } = telling
    const key = toldKey(place, index)
    const data = kind === 'POSTED' ? this.#dataOf(lane, index) : await this.#toldOf(key)
    const after = {
      final: kind === 'FINAL' ? index : cursor.final,
      posted: kind === 'POSTED' ? index : kind === 'REVERTED' ? index - 1 : cursor.posted,
      reverts: cursor.reverts + (kind === 'REVERTED' ? 1 : 0),
    }
    const ops: WebhookOp[] = [
      { key: CURSORS + place, value: encodeJson(after) },
      { key, value: kind === 'POSTED' ? encodeJson(data) : undefined },
    ]
    const noted = joined([
      { ops, done: () => {} },
      webhooks.publishTo(name, [this.#event(kind, data, cursor.reverts, lane)]),
    ])
    await store.write(noted.ops)
    noted.done()
    this.#cursors.set(place, after)
    if (kind === 'POSTED') this.#newest.set(place, data)
    else await this.#findNewest(place, after)
    return after
  }

  #event(kind: Telling['kind'], data: BatchData, reverts: number, lane: ToldLane): WebhookEvent {
    const { deployment, headerHash, blockHash } = data
    const type = `batch.${kind.toLowerCase()}.v1`
    const reason: RevertedData['reason'] = lane.isProven(headerHash) ? 'PROVEN_FALSE' : 'REORGANISED'
    return {
      id: eventId(type, deployment.chainId, deployment.rollup, data.lane, data.batch, headerHash, blockHash, reverts),
      type,
      subject: `lane-${data.lane}`,
      atMs: Date.now(),
      data: kind === 'REVERTED' ? { ...data, reason } : data,
    }
  }

  #dataOf(lane: ToldLane, index: number): BatchData {
    const { closed, batch } = lane
    const parts = { closed: closed(index)!, before: closed(index - 1), posted: batch(index)! }
    return batchData(this.#settings.deployment, parts)
  }

  async #toldOf(key: string): Promise<BatchData> {
    const value = await this.#settings.store.get(key)
    if (value === undefined) throw dataCorrupted(`${key} is gone`)
    return read<BatchData>(key, value)
  }

  async #findNewest(place: string, { final, posted }: StoredCursor): Promise<void> {
    if (posted === final) this.#newest.delete(place)
    else this.#newest.set(place, await this.#toldOf(toldKey(place, posted)))
  }

  #cursor(place: string, { final, posted }: StoredCursor): BatchCursor {
    return { final, posted, newest: this.#newest.get(place) }
  }
}

function toldKey(place: string, index: number): string {
  return `${TOLD}${place}/${keyNumber(index)}`
}

function read<T>(key: string, value: Uint8Array): T {
  const decoded = decodeJson<T>(value)
  if (decoded === undefined) throw dataCorrupted(`${key} has another format`)
  return decoded
}
