import { currentAttempt, type TxRecord, withoutNeedlessData } from './txRecord.ts'
import type { TxStore } from './txStore.ts'

/** Final records kept, so that a caller that crashed before it noted a result learns it by sending the id again. */
const KEPT_FINAL = 256

/** The records of one account: what is in memory is on disk already. */
export class TxBook {
  readonly #store: TxStore
  readonly #records = new Map<string, TxRecord>()

  constructor(store: TxStore) {
    this.#store = store
  }

  async load(): Promise<void> {
    this.#records.clear()
    for (const record of await this.#store.load()) this.#records.set(record.id, withoutNeedlessData(record))
  }

  get(id: string): TxRecord | undefined {
    return this.#records.get(id)
  }

  all(): TxRecord[] {
    return [...this.#records.values()]
  }

  /** Records that can still change, in the order of their nonces. */
  open(): TxRecord[] {
    return this.all()
      .filter((record) => record.status.kind !== 'final')
      .sort((a, b) => a.nonce - b.nonce)
  }

  pending(): TxRecord[] {
    return this.open().filter((record) => record.status.kind === 'pending')
  }

  /** After every nonce of ours that a reorganisation could still need. */
  nextNonce(accountNonce: number): number {
    return this.open().reduce((next, record) => Math.max(next, record.nonce + 1), accountNonce)
  }

  async save(change: TxRecord): Promise<TxRecord> {
    const record = withoutNeedlessData(change)
    await this.#store.put(record)
    this.#records.set(record.id, record)
    return record
  }

  async forget(id: string): Promise<void> {
    await this.#store.delete(id)
    this.#records.delete(id)
  }

  /** Drops the oldest final records beyond the number kept. */
  async forgetOldest(): Promise<void> {
    const finals = this.all()
      .filter((record) => record.status.kind === 'final')
      .sort((a, b) => a.nonce - b.nonce)
    for (const record of finals.slice(0, Math.max(0, finals.length - KEPT_FINAL))) await this.forget(record.id)
  }

  /** Whether nothing is lost and no nonce left open when L1 will never take this one. */
  canForget(record: TxRecord): boolean {
    const hasLater = this.open().some((other) => other.nonce > record.nonce)
    return !hasLater && record.attempts.length <= 1 && currentAttempt(record) !== undefined
  }
}
