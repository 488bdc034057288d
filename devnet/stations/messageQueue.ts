/** A message about a transaction. Built when it is sent: OCPP 1.6 learns the transaction's id only from an answer. */
export interface QueuedMessage {
  readonly action: string
  readonly params: () => object
  readonly answered?: (answer: unknown) => void
}

export interface QueueSettings {
  readonly send: (action: string, params: object) => Promise<unknown>
  /** Wait after an answer that is an error, ms. */
  readonly retryMs: number
  /** Whether to send a message again although it was answered, as a station does whose answer got lost. */
  readonly repeats: () => boolean
}

/** Messages about transactions, in order, each kept until it is answered (OCPP 2.0.1 part 2, E04 and E13). Outlives cuts and reboots. */
export class MessageQueue {
  readonly #settings: QueueSettings
  readonly #messages: QueuedMessage[] = []
  readonly #emptied: (() => void)[] = []
  #sending = false
  #open = false
  #wake: (() => void) | undefined

  constructor(settings: QueueSettings) {
    this.#settings = settings
  }

  get size(): number {
    return this.#messages.length
  }

  push(message: QueuedMessage): void {
    this.#messages.push(message)
    void this.#run()
  }

  open(): void {
    this.#open = true
    void this.#run()
  }

  close(): void {
    this.#open = false
    this.#wake?.()
  }

  /** Resolves when all has been answered. */
  emptied(): Promise<void> {
    if (this.#messages.length === 0 && !this.#sending) return Promise.resolve()
    return new Promise((resolve) => this.#emptied.push(resolve))
  }

  async #run(): Promise<void> {
    if (this.#sending) return
    this.#sending = true
    while (this.#open && this.#messages.length > 0) {
      const message = this.#messages[0]!
      try {
        const params = message.params()
        const answer = await this.#settings.send(message.action, params)
        message.answered?.(answer)
        if (this.#settings.repeats()) await this.#settings.send(message.action, params)
        this.#messages.shift()
      } catch {
        if (this.#open) await this.#pause()
      }
    }
    this.#sending = false
    if (this.#messages.length === 0) for (const resolve of this.#emptied.splice(0)) resolve()
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#settings.retryMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
