import type { TxRequest } from './txRecord.ts'

/** Requests that are in no book yet, in the order in which they came: each waits, or is just being written down. */
export class TxQueue {
  #waiting: TxRequest[] = []
  #admitting: TxRequest | undefined

  get first(): TxRequest | undefined {
    return this.#waiting[0]
  }

  get size(): number {
    return this.#waiting.length
  }

  has(id: string): boolean {
    return this.isAdmitting(id) || this.#waiting.some((request) => request.id === id)
  }

  isAdmitting(id: string): boolean {
    return this.#admitting?.id === id
  }

  add(request: TxRequest): void {
    this.#waiting.push(request)
  }

  /** False when it does not wait (any more). */
  remove(id: string): boolean {
    const before = this.#waiting.length
    this.#waiting = this.#waiting.filter((request) => request.id !== id)
    return this.#waiting.length < before
  }

  clear(): void {
    this.#waiting = []
  }

  /** Takes it out while `admit` writes it down. It waits again, in front, if that fails in a way that `again` says passes. */
  async admit(request: TxRequest, admit: () => Promise<void>, again: (error: unknown) => boolean): Promise<void> {
    this.remove(request.id)
    this.#admitting = request
    try {
      await admit()
    } catch (error) {
      if (again(error)) this.#waiting.unshift(request)
      throw error
    } finally {
      this.#admitting = undefined
    }
  }
}
