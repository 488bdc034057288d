import type { L1Follower, L1Update, Reorg } from '../../l1/follow.ts'
import { describeError, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { Runner } from '../../runtime/runner.ts'

export interface L1PumpSettings {
  readonly follower: L1Follower
  readonly onL1: (update: L1Update) => Promise<void>
  /** Between runs when nothing asks for one, milliseconds. */
  readonly everyMs: number
  readonly log: Logger
  readonly onFault: (error: unknown) => void
}

/**
 * Runs the lanes' look at L1: after each block, after a batch was closed or posted, and now and then for what waits on a clock. Never
 * twice at a time; whatever asks meanwhile is served by one more run.
 */
export class L1Pump {
  readonly #settings: L1PumpSettings
  readonly #runner = new Runner(() => this.#run())
  #reorg: Reorg | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #failing = false

  constructor(settings: L1PumpSettings) {
    this.#settings = settings
  }

  start(): void {
    const { follower, everyMs } = this.#settings
    follower.onUpdate((update) => {
      if (update.reorg !== undefined) {
        const brokeFinality = update.reorg.brokeFinality || this.#reorg?.brokeFinality === true
        this.#reorg = { ...update.reorg, brokeFinality }
      }
      this.ask()
    })
    this.#timer = setInterval(() => this.ask(), everyMs)
  }

  /** Look soon. */
  ask(): void {
    if (!this.#stopped) void this.#runner.wake()
  }

  /** One look that begins now or later, and its end. Rejects with what went wrong in it. */
  async look(): Promise<void> {
    await this.#runner.alone(() => this.#once())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#runner.idle()
  }

  async #run(): Promise<void> {
    if (this.#stopped) return
    try {
      await this.#once()
      this.#failing = false
    } catch (error) {
      const { log, onFault } = this.#settings
      if (!isBackfeedError(error) || !(error.retryable || error.code === 'L1_CALL_FAILED')) {
        onFault(error)
        return
      }
      if (!this.#failing) log.warn({ err: error }, `looking at L1: ${describeError(error)}`)
      this.#failing = true
    }
  }

  async #once(): Promise<void> {
    const { follower, onL1 } = this.#settings
    await onL1({ head: follower.head, final: follower.final, reorg: this.#reorg })
    this.#reorg = undefined
  }
}
