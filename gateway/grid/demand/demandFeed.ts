import type { Logger } from '../../../runtime/log.ts'
import { PokableTimer } from '../../../runtime/pokableTimer.ts'
import type { Component, ComponentContext } from '../../../runtime/service.ts'
import type { DemandSink } from '../../control/demand.ts'
import type { ReportsStatus, SourceStatus } from '../../sourceStatus.ts'
import type { GridSource } from '../model/gridSource.ts'
import type { DemandRule } from './config.ts'
import { type RatedEvse, sharesOf, wantedAt } from './wanted.ts'

export interface DemandFeedDeps {
  readonly sources: ReadonlyMap<string, GridSource>
  /** The fleet as it is now. */
  readonly evses: () => readonly RatedEvse[]
  readonly sink: DemandSink
  readonly log: Logger
  readonly now: () => number
}

/** Looked at anew at least so often: the fleet may change, and the clock may be set. */
const LOOK_MS = 30_000
/** Beyond the next look: a demand must not run out because a look came late. */
const HOLD_MS = 60_000

/** Turns the events of sources into demands for EVSEs, from their randomised start to their end. */
export class DemandFeed implements Component, ReportsStatus {
  readonly name = 'gridDemand'
  readonly #rules: readonly DemandRule[]
  readonly #deps: DemandFeedDeps
  readonly #log: Logger
  readonly #stopping = new AbortController()
  readonly #timer = new PokableTimer(this.#stopping.signal)
  /** By EVSE. */
  #given = new Map<string, { watts: number; untilMs: number }>()
  #openLimits: string[] = []
  #running: Promise<void> | undefined
  #unlisten: (() => void)[] = []

  constructor(rules: readonly DemandRule[], deps: DemandFeedDeps) {
    this.#rules = rules
    this.#deps = deps
    this.#log = deps.log.child({ stage: 'grid' })
  }

  start(context: Pick<ComponentContext, 'fail'>): void {
    for (const source of this.#deps.sources.values()) this.#unlisten.push(source.onChange(() => this.#timer.poke()))
    this.#running = this.#run().catch((error: unknown) => context.fail(error))
  }

  async stop(): Promise<void> {
    for (const unlisten of this.#unlisten) unlisten()
    this.#stopping.abort()
    await this.#running
  }

  status(): SourceStatus {
    const watts = [...this.#given.values()].reduce((sum, { watts }) => sum + watts, 0)
    return {
      name: 'grid.demand',
      state: this.#openLimits.length > 0 ? 'DEGRADED' : 'UP',
      figures: { 'EVSEs asked': this.#given.size, 'watts asked': watts },
      problems: this.#openLimits.map((message) => ({ code: 'GRID_LIMIT_OPEN', message })),
    }
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const untilMs = this.#look()
      await this.#timer.pause(Math.max(1, Math.min(LOOK_MS, untilMs - this.#deps.now())))
    }
  }

  /** Gives demands for now; until when they are right, milliseconds. */
  #look(): number {
    const nowMs = this.#deps.now()
    const given = new Map<string, { watts: number; untilMs: number }>()
    const openLimits: string[] = []
    let nextMs = Number.POSITIVE_INFINITY
    for (const rule of this.#rules) {
      const wanted = wantedAt(this.#deps.sources.get(rule.source)?.picture().events ?? [], nowMs / 1000)
      const untilMs = wanted.untilSeconds * 1000
      nextMs = Math.min(nextMs, untilMs)
      const names = rule.evses
      const evses = this.#deps.evses().filter(({ name }) => names === undefined || names.includes(name))
      const { shares, isLimitOpen } = sharesOf(wanted, evses, rule)
      const reason = `${rule.source}: ${wanted.events.join(', ')}`
      if (isLimitOpen) openLimits.push(`a limit of ${reason} applies and no event says how much to export`)
      for (const { evse, watts } of shares) {
        // The first rule that asks an EVSE for something decides.
        if (watts === undefined || given.has(evse)) continue
        const holdMs = Math.min(untilMs, nowMs + LOOK_MS + HOLD_MS)
        given.set(evse, { watts, untilMs: holdMs })
        this.#deps.sink({ source: 'grid', evse, watts, untilMs: holdMs, reason })
      }
    }
    for (const [evse] of this.#given) {
      if (given.has(evse)) continue
      this.#deps.sink({ source: 'grid', evse, watts: 0, untilMs: nowMs, reason: 'no grid event' })
    }
    if (openLimits.length > this.#openLimits.length) this.#log.warn({ code: 'GRID_LIMIT_OPEN' }, openLimits.join('; '))
    this.#given = given
    this.#openLimits = openLimits
    return nextMs
  }
}
