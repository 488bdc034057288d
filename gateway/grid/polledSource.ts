import { describeError, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { PokableTimer } from '../../runtime/pokableTimer.ts'
import type { ComponentContext } from '../../runtime/service.ts'
import type { SourceProblem, SourceStatus } from '../sourceStatus.ts'
import type { GridMetrics } from './gridMetrics.ts'
import { EVENT_STATES, type GridPicture, NOTHING_KNOWN } from './model/gridEvent.ts'
import type { GridSource } from './model/gridSource.ts'

export interface Answer {
  readonly picture: GridPicture
  /** When to ask again at the latest. */
  readonly nextMs: number
  /** What could not be used of it. The same problem is logged once, until it is gone. */
  readonly problems: readonly SourceProblem[]
  readonly figures?: Readonly<Record<string, number | string>>
}

export interface PolledSourceSettings {
  readonly name: string
  /** One look. What it throws is reported, and asked again after a pause that doubles up to `maxRetryMs`. */
  readonly ask: (signal: AbortSignal) => Promise<Answer>
  /** Before the look that a poke brings about: what is cached is of no use. */
  readonly onPoke?: () => void
  readonly onStop?: () => void
  readonly retryMs: number
  readonly maxRetryMs: number
  /** Without an answer for so long it counts as down. */
  readonly staleMs: number
  readonly log: Logger
  readonly metrics: GridMetrics
  readonly now: () => number
}

/** Asks a source again and again, and keeps its last picture. */
export class PolledSource implements GridSource {
  readonly name: string
  readonly #settings: PolledSourceSettings
  readonly #log: Logger
  readonly #stopping = new AbortController()
  readonly #timer = new PokableTimer(this.#stopping.signal)
  readonly #listeners = new Set<() => void>()
  #running: Promise<void> | undefined
  #picture: GridPicture = NOTHING_KNOWN
  #contactMs: number | undefined
  #failure: SourceProblem | undefined
  #problems: readonly SourceProblem[] = []
  #figures: Readonly<Record<string, number | string>> = {}

  constructor(settings: PolledSourceSettings) {
    this.name = settings.name
    this.#settings = settings
    this.#log = settings.log.child({ stage: 'grid', source: settings.name })
  }

  picture(): GridPicture {
    return this.#picture
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  poke(): void {
    this.#settings.onPoke?.()
    this.#timer.poke()
  }

  /** Returns at once: a utility that does not answer must not keep the gateway from metering. */
  start(context: Pick<ComponentContext, 'fail'>): void {
    this.#running = this.#run().catch((error: unknown) => context.fail(error))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#settings.onStop?.()
  }

  status(): SourceStatus {
    const { now, staleMs } = this.#settings
    const isStale = this.#contactMs === undefined || now() - this.#contactMs > staleMs
    const problems = [...(this.#failure === undefined ? [] : [this.#failure]), ...this.#problems]
    const open = this.#picture.events.filter(({ state }) => state === 'scheduled' || state === 'active')
    return {
      name: `grid.${this.name}`,
      state: isStale ? 'DOWN' : problems.length > 0 ? 'DEGRADED' : 'UP',
      figures: {
        'events open': open.length,
        'price intervals': this.#picture.prices.length,
        'last answer': this.#contactMs === undefined ? 'never' : new Date(this.#contactMs).toISOString(),
        ...this.#figures,
      },
      problems,
    }
  }

  async #run(): Promise<void> {
    const { ask, retryMs, maxRetryMs, metrics } = this.#settings
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      let pauseMs: number
      try {
        const answer = await ask(this.#stopping.signal)
        if (failures > 0) this.#log.info({ failures }, `${this.name} answers again`)
        failures = 0
        pauseMs = answer.nextMs
        this.#take(answer)
        metrics.asked.inc({ source: this.name, outcome: 'answered' })
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        const code = isBackfeedError(error) ? error.code : 'GRID_SOURCE_FAILED'
        const message = describeError(error)
        if (this.#failure?.code !== code || failures === 0) {
          this.#log.warn({ err: error, code }, `${this.name}: ${message}`)
        }
        this.#failure = { code, message }
        metrics.asked.inc({ source: this.name, outcome: code })
        pauseMs = Math.min(retryMs * 2 ** Math.min(failures++, 20), maxRetryMs)
      }
      await this.#timer.pause(pauseMs)
    }
  }

  #take(answer: Answer): void {
    const { metrics, now } = this.#settings
    const { name: source } = this
    this.#failure = undefined
    this.#contactMs = now()
    this.#figures = answer.figures ?? {}
    const known = new Set(this.#problems.map(keyOf))
    for (const problem of answer.problems) {
      if (known.has(keyOf(problem))) continue
      metrics.refused.inc({ source, code: problem.code })
      this.#log.warn({ code: problem.code }, `${source}: ${problem.message}`)
    }
    this.#problems = answer.problems
    this.#picture = answer.picture
    metrics.contact.set({ source }, this.#contactMs / 1000)
    for (const state of EVENT_STATES) {
      metrics.events.set({ source, state }, answer.picture.events.filter((event) => event.state === state).length)
    }
    const lastPrice = answer.picture.prices.at(-1)
    if (lastPrice !== undefined) metrics.priced.set({ source }, lastPrice.end)
    for (const listener of this.#listeners) listener()
  }
}

function keyOf(problem: SourceProblem): string {
  return `${problem.code} ${problem.message}`
}
