import type { RowQueue } from './outbox.ts'
import { queueName, spanEnd } from './rows.ts'

interface QueueState extends RowQueue {
  rows: number
  /** Seconds: where the span of its first row ends. Too early, never too late, until it is set anew. */
  oldestEnd: number
}

/** How many rows wait in each queue, and since when: all that is held in memory. */
export class QueueIndex {
  readonly #queues = new Map<string, QueueState>()

  clear(): void {
    this.#queues.clear()
  }

  add(queue: RowQueue, row: Uint8Array): void {
    const name = queueName(queue)
    const state = this.#queues.get(name)
    if (state === undefined) {
      this.#queues.set(name, { lane: queue.lane, evse: queue.evse, rows: 1, oldestEnd: spanEnd(row) })
    } else {
      state.rows++
      state.oldestEnd = Math.min(state.oldestEnd, spanEnd(row))
    }
  }

  remove(queue: RowQueue): void {
    const name = queueName(queue)
    const state = this.#queues.get(name)!
    if (--state.rows === 0) this.#queues.delete(name)
  }

  setOldest(queue: RowQueue, first: Uint8Array): void {
    const state = this.#queues.get(queueName(queue))
    if (state !== undefined) state.oldestEnd = spanEnd(first)
  }

  list(): readonly Readonly<QueueState>[] {
    return [...this.#queues.values()]
  }

  get rows(): number {
    let sum = 0
    for (const { rows } of this.#queues.values()) sum += rows
    return sum
  }

  /** Seconds; undefined when nothing waits. */
  get oldestEnd(): number | undefined {
    let oldest: number | undefined
    for (const { oldestEnd } of this.#queues.values()) oldest = Math.min(oldest ?? oldestEnd, oldestEnd)
    return oldest
  }
}
