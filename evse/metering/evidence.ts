import type { EdgeStore, StoreOp } from '../store/edgeStore.ts'
import type { MeterEvent } from './meterEvent.ts'
import { EVIDENCE_INDEX, evidenceIndexKey, evidenceKey, evidencePrefix } from './meterKeys.ts'
import { decodeValue, encodeValue } from './meterStorage.ts'

/** What is kept of one transaction's signed meter values. */
export interface KeptEvidence {
  readonly evse: string
  readonly transaction: string
  readonly bytes: number
  readonly lastMs: number
  /** End of its last span; undefined while it goes on. */
  readonly endInterval: number | undefined
  /** Its records have their receipts. */
  readonly isDelivered: boolean
}

/** Keys removed by one write. */
const DROP_KEYS = 500

/**
 * Signed meter values as they came, for disputes (docs/protocol.md §12). Bounded in bytes: what is delivered longest goes first, then what ended
 * longest ago. Written together with the message that brought them.
 */
export class EvidenceKeeper {
  readonly #store: EdgeStore
  readonly #maxBytes: number
  readonly #kept = new Map<string, KeptEvidence>()
  /** Keys of what has no receipt yet, by EVSE: every receipt asks for them. */
  readonly #undelivered = new Map<string, Set<string>>()
  #bytes = 0
  #dropping: Promise<number> | undefined

  constructor(store: EdgeStore, maxBytes: number) {
    this.#store = store
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  async load(): Promise<void> {
    for await (const [key, value] of this.#store.entries(EVIDENCE_INDEX)) {
      this.#take(new Map([[key, decodeValue<KeptEvidence>(key, value)]]))
    }
  }

  /** What goes to disk with these messages, and what is true once it is there. */
  prepare(events: readonly MeterEvent[]): { ops: StoreOp[]; done: () => void } {
    const ops: StoreOp[] = []
    const changed = new Map<string, KeptEvidence>()
    if (this.#maxBytes === 0) return { ops, done: () => {} }
    for (const event of events) {
      if (event.evidence === undefined || event.evidence.length === 0) continue
      event.evidence.forEach((value, index) => {
        ops.push({ key: evidenceKey(event, index), value })
      })
      const { evse, transaction, atMs } = event
      const key = evidenceIndexKey(evse, transaction)
      const old = changed.get(key) ?? this.#kept.get(key)
      const bytes = (old?.bytes ?? 0) + event.evidence.reduce((sum, value) => sum + value.length, 0)
      const lastMs = Math.max(old?.lastMs ?? 0, atMs)
      const endInterval = old?.endInterval
      changed.set(key, { evse, transaction, bytes, lastMs, endInterval, isDelivered: old?.isDelivered ?? false })
    }
    for (const [key, kept] of changed) ops.push({ key, value: encodeValue(kept) })
    return { ops, done: () => this.#take(changed) }
  }

  /** A transaction is over: its last span ended before `endInterval`. */
  ended(evse: string, transaction: string, endInterval: number): Promise<void> {
    return this.#change(evidenceIndexKey(evse, transaction), { endInterval })
  }

  /** The EVSE's records up to `endInterval` have their receipts. */
  async delivered(evse: string, endInterval: number): Promise<void> {
    for (const key of [...(this.#undelivered.get(evse) ?? [])]) {
      const end = this.#kept.get(key)?.endInterval
      if (end !== undefined && end <= endInterval) await this.#change(key, { isDelivered: true })
    }
  }

  async *of(evse: string, transaction: string): AsyncIterable<Uint8Array> {
    for await (const [, value] of this.#store.entries(evidencePrefix(evse, transaction))) yield value
  }

  list(): readonly KeptEvidence[] {
    return [...this.#kept.values()]
  }

  /** Drops whole transactions until the rest fits; returns how many went that nobody had a receipt for. */
  trim(): Promise<number> {
    this.#dropping ??= this.#trim().finally(() => {
      this.#dropping = undefined
    })
    return this.#dropping
  }

  async #trim(): Promise<number> {
    let undelivered = 0
    while (this.#bytes > this.#maxBytes && this.#kept.size > 0) {
      const rank = ({ isDelivered, endInterval }: KeptEvidence): number =>
        isDelivered ? 0 : endInterval !== undefined ? 1 : 2
      const [key, kept] = [...this.#kept].reduce((best, next) => {
        const order = rank(next[1]) - rank(best[1]) || next[1].lastMs - best[1].lastMs
        return order < 0 ? next : best
      })
      if (!kept.isDelivered) undelivered++
      await this.#drop(key, kept)
    }
    return undelivered
  }

  async #drop(indexKey: string, kept: KeptEvidence): Promise<void> {
    const prefix = evidencePrefix(kept.evse, kept.transaction)
    for (;;) {
      const ops: StoreOp[] = []
      for await (const [key] of this.#store.entries(prefix, { limit: DROP_KEYS })) ops.push({ key, value: undefined })
      if (ops.length < DROP_KEYS) ops.push({ key: indexKey, value: undefined })
      await this.#store.write(ops)
      if (ops.at(-1)?.key === indexKey) break
    }
    this.#bytes -= this.#kept.get(indexKey)?.bytes ?? 0
    this.#kept.delete(indexKey)
    this.#forget(kept.evse, indexKey)
  }

  async #change(key: string, change: Partial<KeptEvidence>): Promise<void> {
    const old = this.#kept.get(key)
    if (old === undefined) return
    const changed = { ...old, ...change }
    this.#take(new Map([[key, changed]]))
    await this.#store.write([{ key, value: encodeValue(changed) }])
  }

  #take(changed: ReadonlyMap<string, KeptEvidence>): void {
    for (const [key, kept] of changed) {
      this.#bytes += kept.bytes - (this.#kept.get(key)?.bytes ?? 0)
      this.#kept.set(key, kept)
      if (kept.isDelivered) this.#forget(kept.evse, key)
      else this.#undelivered.set(kept.evse, (this.#undelivered.get(kept.evse) ?? new Set()).add(key))
    }
  }

  #forget(evse: string, key: string): void {
    const keys = this.#undelivered.get(evse)
    keys?.delete(key)
    if (keys?.size === 0) this.#undelivered.delete(evse)
  }
}
