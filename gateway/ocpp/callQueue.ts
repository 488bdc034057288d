import { BackfeedError } from '../../runtime/errors.ts'
import { MAX_COMMANDS_WAITING } from './limits.ts'

interface Waiting {
  readonly start: () => void
  readonly refuse: (error: Error) => void
}

/**
 * One call at a time on the wire (OCPP 2.0.1 part 4, 4.1.1), urgent ones first. A caller that gives up frees the wire at once: to OCPP that
 * is a call that timed out, and a pause must not wait behind a station that is silent about something else.
 */
export class CallQueue {
  readonly #urgent: Waiting[] = []
  readonly #normal: Waiting[] = []
  #busy = false
  #closed = false

  /** @throws BackfeedError STATION_UNREACHABLE when the queue is full or closed, or `signal` ends the wait; whatever `send` throws */
  async run<T>(urgent: boolean, signal: AbortSignal, send: () => Promise<T>): Promise<T> {
    if (this.#closed || signal.aborted) throw unreachable('the station is not connected, or nobody waits any more')
    if (this.#busy) await this.#wait(urgent ? this.#urgent : this.#normal, signal)
    this.#busy = true
    try {
      return await orAborted(send(), signal)
    } finally {
      this.#busy = false
      const next = this.#urgent.shift() ?? this.#normal.shift()
      if (next !== undefined) {
        this.#busy = true // taken for it, so that nobody slips in
        next.start()
      }
    }
  }

  close(): void {
    this.#closed = true
    for (const waiting of [...this.#urgent.splice(0), ...this.#normal.splice(0)]) {
      waiting.refuse(unreachable('the station went away'))
    }
  }

  #wait(queue: Waiting[], signal: AbortSignal): Promise<void> {
    if (this.#urgent.length + this.#normal.length >= MAX_COMMANDS_WAITING) {
      return Promise.reject(unreachable('too many commands wait for the station'))
    }
    return new Promise((resolve, reject) => {
      const give = (): void => {
        const index = queue.indexOf(waiting)
        if (index >= 0) queue.splice(index, 1)
        reject(unreachable('nobody waits any more'))
      }
      const waiting: Waiting = {
        start() {
          signal.removeEventListener('abort', give)
          resolve()
        },
        refuse(error) {
          signal.removeEventListener('abort', give)
          reject(error)
        },
      }
      signal.addEventListener('abort', give, { once: true })
      queue.push(waiting)
    })
  }
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = (): void => reject(unreachable('no answer in time'))
    signal.addEventListener('abort', give, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', give))
  })
}

function unreachable(message: string): BackfeedError {
  return new BackfeedError('STATION_UNREACHABLE', message, { retryable: true })
}
