import { z } from 'zod'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import { describeError, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component } from '../../runtime/service.ts'
import type { EdgeProblem } from '../problem.ts'
import type { EdgeStore } from '../store/edgeStore.ts'
import { ClockLedger, type Moment, type SavedLedger, type SpanVerdict } from './clockLedger.ts'
import type { ClockConfig } from './config.ts'
import { type ClockMetrics, clockMetrics } from './metrics.ts'
import { sntpSource } from './sntpClient.ts'
import { systemSource, type TimeReading, type TimeSource } from './timeSource.ts'

export interface ClockCheckSettings {
  readonly config: ClockConfig
  /** Instead of what the configuration names: another clock of the process (`functionSource`), hardware. */
  readonly source?: TimeSource | undefined
  readonly store: EdgeStore
  /** Wall clock and monotonic clock, milliseconds. */
  readonly now: () => number
  readonly monotonicMs: () => number
  readonly log: Logger
  readonly metrics: Metrics
}

const KEY = 'clock/ledger'
/** Jumps are looked for this often, besides whenever somebody asks. */
const TICK_MS = 1_000
/** A start waits so long for the first reading, and goes on untrusted without. */
const FIRST_READING_MS = 5_000

const range = z.tuple([z.number(), z.number()])
const savedSchema = z.object({
  lastGoodMs: z.number().optional(),
  openSinceMs: z.number().optional(),
  distrusted: z.array(range),
  floorMs: z.number(),
})

/** Watches the wall clock: what it says is signed only while it agrees with its source (CLOCK_UNTRUSTED). */
export class ClockCheck implements Component {
  readonly name = 'clock'
  readonly #settings: ClockCheckSettings
  readonly #source: TimeSource
  readonly #metrics: ClockMetrics
  readonly #stopping = new AbortController()
  #ledger: ClockLedger
  #reading: Promise<void> | undefined
  #poll: NodeJS.Timeout | undefined
  #tick: NodeJS.Timeout | undefined
  #fault: string | undefined
  #last: TimeReading | undefined
  #wasTrusted: boolean | undefined

  constructor(settings: ClockCheckSettings) {
    this.#settings = settings
    const { config, now, monotonicMs } = settings
    this.#source =
      settings.source ?? (config.source === 'system' ? systemSource : sntpSource({ ...config, now, monotonicMs }))
    this.#metrics = clockMetrics(settings.metrics)
    this.#ledger = new ClockLedger(rulesOf(config), undefined, this.#moment())
  }

  async start(): Promise<void> {
    const { store, config } = this.#settings
    this.#ledger = new ClockLedger(rulesOf(config), await loadLedger(store), this.#moment())
    this.#tick = setInterval(() => this.#observe(), TICK_MS)
    const first = this.check()
    let timer: NodeJS.Timeout | undefined
    await Promise.race([
      first,
      new Promise((resolve) => {
        timer = setTimeout(resolve, FIRST_READING_MS)
      }),
    ])
    clearTimeout(timer)
    this.#tell()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    clearInterval(this.#tick)
    clearTimeout(this.#poll)
    await this.#reading
  }

  isTrusted(): boolean {
    return this.#ledger.isTrusted(this.#moment())
  }

  /** Whether what carries times of this span may be signed. Milliseconds since the Unix epoch, by our wall clock. */
  judge(fromMs: number, toMs: number): SpanVerdict {
    this.#observe()
    return this.#ledger.judge([fromMs, toMs], this.#moment())
  }

  problems(): readonly EdgeProblem[] {
    const doubt = this.#ledger.doubt(this.#moment())
    if (doubt !== undefined) {
      const fault = this.#fault === undefined ? '' : `; ${this.#fault}`
      return [{ code: 'CLOCK_UNTRUSTED', message: `nothing is signed by the clock: ${doubt}${fault}` }]
    }
    return this.#fault === undefined ? [] : [{ code: 'TIME_SOURCE_UNREACHABLE', message: this.#fault }]
  }

  /** For status pages. */
  figures(): {
    trusted: boolean
    offsetMs: number | undefined
    errorMs: number | undefined
    uncheckedMs: number | undefined
  } {
    const at = this.#moment()
    return {
      trusted: this.#ledger.isTrusted(at),
      offsetMs: this.#last?.offsetMs,
      errorMs: this.#last?.errorMs,
      uncheckedMs: this.#ledger.uncheckedMs(at),
    }
  }

  refreshMetrics(): void {
    const { trusted, uncheckedMs } = this.figures()
    this.#metrics.trusted.set(trusted ? 1 : 0)
    if (uncheckedMs !== undefined) this.#metrics.unchecked.set(uncheckedMs / 1_000)
  }

  /** Compares the clock with its source now. */
  check(): Promise<void> {
    this.#reading ??= this.#check().finally(() => {
      this.#reading = undefined
      this.#setPoll()
    })
    return this.#reading
  }

  async #check(): Promise<void> {
    clearTimeout(this.#poll)
    const { log } = this.#settings
    try {
      const reading = await this.#source(this.#stopping.signal)
      this.#last = reading
      this.#fault = undefined
      this.#metrics.checks.inc({ outcome: 'ok' })
      this.#metrics.offset.set(reading.offsetMs / 1_000)
      this.#metrics.error.set(reading.errorMs / 1_000)
      this.#ledger.take(reading, this.#moment())
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#metrics.checks.inc({ outcome: isBackfeedError(error) ? error.code : 'FAULT' })
      if (this.#fault === undefined) log.warn({ err: error }, 'the clock could not be compared with its source')
      this.#fault = describeError(error)
      this.#ledger.observe(this.#moment())
    }
    this.#tell()
    await this.#save()
  }

  #observe(): void {
    if (!this.#ledger.observe(this.#moment())) return
    this.#tell()
    void this.#save()
    void this.check()
  }

  async #save(): Promise<void> {
    const value = new TextEncoder().encode(JSON.stringify(this.#ledger.save()))
    try {
      await this.#settings.store.write([{ key: KEY, value }])
    } catch (error) {
      this.#settings.log.error({ err: error }, 'what is known of the clock could not be stored')
    }
  }

  #tell(): void {
    const trusted = this.isTrusted()
    if (trusted === this.#wasTrusted) return
    this.#wasTrusted = trusted
    const { log } = this.#settings
    if (trusted) log.info(this.figures(), 'the clock is trusted')
    else log.error({ code: 'CLOCK_UNTRUSTED' }, `nothing is signed: ${this.#ledger.doubt(this.#moment())}`)
  }

  #setPoll(): void {
    clearTimeout(this.#poll)
    if (this.#stopping.signal.aborted) return
    const { pollSeconds } = this.#settings.config
    const waitMs = pollSeconds * 1_000 * (this.isTrusted() ? 1 : 0.25)
    this.#poll = setTimeout(() => void this.check(), waitMs)
  }

  #moment(): Moment {
    return { wallMs: this.#settings.now(), monotonicMs: this.#settings.monotonicMs() }
  }
}

function rulesOf({ limitMs, driftPpm, maxUncheckedSeconds }: ClockConfig) {
  return { limitMs, driftPpm, maxUncheckedMs: maxUncheckedSeconds * 1_000 }
}

async function loadLedger(store: EdgeStore): Promise<SavedLedger | undefined> {
  const value = await store.get(KEY)
  if (value === undefined) return undefined
  const parsed = savedSchema.safeParse(JSON.parse(new TextDecoder().decode(value)))
  if (!parsed.success) throw dataCorrupted(KEY)
  const { lastGoodMs, openSinceMs, distrusted, floorMs } = parsed.data
  return { lastGoodMs, openSinceMs, distrusted, floorMs }
}
