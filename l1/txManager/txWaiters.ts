import type { TransactionReceipt } from 'viem'

export type TxStage = 'mined' | 'final'

interface Waiter {
  promise: Promise<TransactionReceipt>
  resolve: (receipt: TransactionReceipt) => void
  reject: (error: unknown) => void
}

/** Promises for results of transactions: one a transaction and stage, shared by all who wait for it. */
export class TxWaiters {
  readonly #waiters = new Map<string, Waiter>()

  wait(id: string, stage: TxStage): Promise<TransactionReceipt> {
    const key = `${stage} ${id}`
    let waiter = this.#waiters.get(key)
    if (waiter === undefined) {
      waiter = Promise.withResolvers<TransactionReceipt>()
      this.#waiters.set(key, waiter)
    }
    return waiter.promise
  }

  resolve(id: string, stage: TxStage, receipt: TransactionReceipt): void {
    this.#take(`${stage} ${id}`)?.resolve(receipt)
    // What is final was mined, also when one look saw both.
    if (stage === 'final') this.#take(`mined ${id}`)?.resolve(receipt)
  }

  rejectOne(id: string, stage: TxStage, error: unknown): void {
    this.#take(`${stage} ${id}`)?.reject(error)
  }

  reject(id: string, error: unknown): void {
    this.rejectOne(id, 'mined', error)
    this.rejectOne(id, 'final', error)
  }

  rejectAll(error: unknown): void {
    for (const key of [...this.#waiters.keys()]) this.#take(key)?.reject(error)
  }

  #take(key: string): Waiter | undefined {
    const waiter = this.#waiters.get(key)
    this.#waiters.delete(key)
    return waiter
  }
}
