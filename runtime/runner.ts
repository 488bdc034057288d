/**
 * Work that is begun by whoever wants it done, and never runs twice at a time. Woken while it runs, it runs once more, also when that is at its very end:
 * a promise that is cleared when a run has ended would be cleared a moment after the run looked for more to do.
 */
export class Runner {
  readonly #work: () => Promise<void>
  #isWoken = false
  #running: Promise<void> | undefined

  /** `work` goes on until nothing is left to do. What it rejects with is told to those who wait for it; it is not run again for that. */
  constructor(work: () => Promise<void>) {
    this.#work = work
  }

  /** Begins in this turn of the event loop. Resolves when the work is done. */
  wake(): Promise<void> {
    this.#isWoken = true
    this.#running ??= this.#run()
    return this.#running
  }

  /** Does something else while the work is not under way; what wakes it meanwhile is served then. Rejects with what goes wrong in it. */
  async alone<T>(other: () => Promise<T>): Promise<T> {
    while (this.#running !== undefined) await this.idle()
    const { promise, resolve } = Promise.withResolvers<void>()
    promise.catch(() => {}) // whoever woke the work is told
    this.#running = promise
    try {
      return await other()
    } finally {
      this.#running = undefined
      resolve(this.#isWoken ? this.wake() : undefined)
    }
  }

  /** Resolves when what is under way has ended, however it did. */
  async idle(): Promise<void> {
    await this.#running?.catch(() => {})
  }

  async #run(): Promise<void> {
    await Promise.resolve() // what wakes it may be in the middle of something
    try {
      while (this.#isWoken) {
        this.#isWoken = false
        await this.#work()
      }
    } finally {
      this.#running = undefined
    }
  }
}
