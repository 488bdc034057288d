import type { CommandPort } from '../../evse/guard/commandPort.ts'
import { FLAGS, type FlagCode } from '../../evse/guard/flags.ts'
import { type GuardConfig, guardRules } from '../../evse/guard/guardConfig.ts'
import type { ModeKind } from '../../evse/guard/guardState.ts'
import type { TelemetrySink } from '../../evse/guard/telemetry.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component } from '../../runtime/service.ts'
import type { EdgeEvse } from '../fleet/directory.ts'
import type { DescribesEvses, ReportsStatus, SourceProblem, SourceState, SourceStatus } from '../sourceStatus.ts'
import { type ControlConfig, guardConfigOf } from './config.ts'
import type { Demand, DemandSink } from './demand.ts'
import { DemandBook } from './demandBook.ts'
import { GuardUnit } from '../../evse/guard/guardUnit.ts'
import { type GuardMetrics, guardMetrics } from '../../evse/guard/guardMetrics.ts'
import { WakeWheel } from './wakeWheel.ts'

export interface ControlDeps {
  /** All that the configuration names, on L1 already or not. */
  readonly configured: readonly Pick<EdgeEvse, 'name' | 'telemetry'>[]
  /** How an EVSE is told what to do. */
  readonly portOf: (evse: EdgeEvse) => CommandPort
  /** Milliseconds since the Unix epoch: demands end by it. */
  readonly now: () => number
  readonly monotonicMs: () => number
  readonly metrics: Metrics
  readonly log: Logger
}

export interface ControlledEvse {
  readonly evse: string
  readonly mode: ModeKind
  readonly limitW: number
  /** Undefined while no telemetry is fresh. */
  readonly powerW: number | undefined
  readonly tempC: number | undefined
  readonly demand: Demand | undefined
  readonly flags: readonly FlagCode[]
}

/** Guards of the EVSEs whose telemetry comes to the gateway. To be started after what commands go through, and so stopped before it. */
export interface Control extends Component, ReportsStatus, DescribesEvses {
  /** An EVSE is on L1: from now on it has a guard, if the configuration wants one. Again, and after the end: nothing. */
  admit(evse: EdgeEvse): void
  readonly onTelemetry: TelemetrySink
  readonly onDemand: DemandSink
  /** The source of an EVSE's telemetry is gone: a socket closed, a last will. */
  linkLost(evse: string): void
  /**
   * Lets a stopped EVSE begin again, unless power still flows.
   * @throws BackfeedError EVSE_UNKNOWN
   */
  reset(evse: string): void
  /** One EVSE as its guard sees it; undefined: it has none. */
  evse(name: string): ControlledEvse | undefined
  evseStates(): ControlledEvse[]
}

/** How long demands' ends and changes of the wall clock may go unnoticed; a guard knows the end of its own demand by itself. */
const DEMAND_SWEEP_MS = 1_000
/** Slots of the wheel: ten seconds at 10 ms, so that a waking that is due later is looked at once in ten seconds. */
const WHEEL_SLOTS = 1_024
/** For pauses to leave when the gateway stops. */
const PAUSE_ON_STOP_MS = 2_000

/** @throws BackfeedError CONFIG_INVALID */
export function openControl(config: ControlConfig, deps: ControlDeps): Control {
  return new GuardedFleet(config, deps)
}

class GuardedFleet implements Control {
  readonly name = 'control'
  readonly #config: ControlConfig
  readonly #deps: ControlDeps
  readonly #metrics: GuardMetrics
  /** Of every EVSE that is to have a guard. */
  readonly #limits: ReadonlyMap<string, GuardConfig>
  readonly #units: GuardUnit[] = []
  readonly #byName = new Map<string, GuardUnit>()
  readonly #wheel: WakeWheel
  readonly #book = new DemandBook()
  readonly #demands = new Map<GuardUnit, { watts: number; untilMs: number }>()
  #timer: NodeJS.Timeout | undefined
  #phase: 'READY' | 'RUNNING' | 'OVER' = 'READY'
  #tickedMs: number
  #sweptMs: number

  constructor(config: ControlConfig, deps: ControlDeps) {
    this.#config = config
    this.#deps = deps
    this.#metrics = guardMetrics(deps.metrics)
    const nowMs = deps.monotonicMs()
    this.#tickedMs = nowMs
    this.#sweptMs = nowMs
    const guarded = deps.configured.filter(({ telemetry }) => telemetry !== 'none')
    this.#limits = new Map(guarded.map((evse) => [evse.name, guardConfigOf(config, evse)]))
    this.#wheel = new WakeWheel({ count: guarded.length, slotMs: config.tickMs, slots: WHEEL_SLOTS, nowMs })
    const strangers = Object.keys(config.evses).filter((name) => !this.#limits.has(name))
    if (strangers.length > 0) {
      throw new BackfeedError(
        'CONFIG_INVALID',
        `control.evses: no EVSE with telemetry is named ${strangers.join(', ')}`,
      )
    }
  }

  admit(evse: EdgeEvse): void {
    const limits = this.#limits.get(evse.name)
    if (limits === undefined || this.#byName.has(evse.name) || this.#phase === 'OVER') return
    const { portOf, monotonicMs, log } = this.#deps
    const index = this.#units.length
    const unit = new GuardUnit({
      evse: evse.name,
      rules: guardRules(limits, evse.ratedW),
      port: portOf(evse),
      commandTimeoutMs: this.#config.commandTimeoutMs,
      monotonicMs,
      metrics: this.#metrics,
      log,
      wake: (atMs) => this.#wheel.schedule(index, atMs),
    })
    this.#units.push(unit)
    this.#byName.set(evse.name, unit)
    if (this.#phase === 'READY') return
    log.info({ evse: evse.name }, `${evse.name} is on L1 now: its guard begins`)
    unit.put({ kind: 'TICK' })
    this.#putDemand(unit)
  }

  start(): void {
    this.#phase = 'RUNNING'
    this.#tickedMs = this.#deps.monotonicMs()
    // The first step tells every EVSE to pause: nobody knows what it was told before.
    for (const unit of this.#units) unit.put({ kind: 'TICK' })
    this.#timer = setInterval(() => this.#tick(), this.#config.tickMs)
  }

  async stop(): Promise<void> {
    this.#phase = 'OVER'
    clearInterval(this.#timer)
    if (this.#config.pauseOnStop) await this.#pauseAll()
    for (const unit of this.#units) unit.close()
  }

  readonly onTelemetry: TelemetrySink = (name, telemetry) => {
    const arrivedMs = this.#deps.monotonicMs()
    const unit = this.#byName.get(name)
    if (unit === undefined) {
      this.#metrics.unknown.inc()
      return
    }
    const commandId = unit.state.commandId
    unit.put({ kind: 'TELEMETRY', telemetry })
    const doneMs = this.#deps.monotonicMs()
    this.#metrics.telemetry.inc()
    this.#metrics.decision.observe((doneMs - arrivedMs) / 1_000)
    if (unit.state.commandId !== commandId) this.#metrics.reaction.observe(Math.max(0, doneMs - telemetry.atMs) / 1_000)
  }

  readonly onDemand: DemandSink = (demand) => {
    const nowMs = this.#deps.now()
    if (demand.evse !== undefined && !this.#limits.has(demand.evse)) {
      this.#metrics.unknown.inc()
      this.#deps.log.warn({ ...demand }, 'a demand for an EVSE that has no guard')
      return
    }
    this.#deps.log.info({ ...demand }, 'demand')
    this.#book.take(demand, nowMs)
    // One that is not on L1 yet is told when it is.
    for (const unit of demand.evse === undefined ? this.#units : [this.#byName.get(demand.evse)]) {
      if (unit !== undefined) this.#putDemand(unit)
    }
  }

  linkLost(name: string): void {
    this.#byName.get(name)?.put({ kind: 'LINK_LOST' })
  }

  reset(name: string): void {
    const unit = this.#byName.get(name)
    if (unit === undefined) {
      throw new BackfeedError('EVSE_UNKNOWN', `no EVSE with a guard is named ${name}`, { details: { evse: name } })
    }
    this.#deps.log.info({ evse: name }, 'reset by an operator')
    unit.put({ kind: 'RESET' })
  }

  evse(name: string): ControlledEvse | undefined {
    const unit = this.#byName.get(name)
    return unit && this.#describe(unit)
  }

  evseStates(): ControlledEvse[] {
    return this.#units.map((unit) => this.#describe(unit))
  }

  status(): SourceStatus {
    const modes = new Map<ModeKind, number>()
    const problems: SourceProblem[] = []
    let [limitW, powerW, flagged] = [0, 0, 0]
    for (const unit of this.#units) {
      const { mode, limit, flags, powerW: power, freshSinceMs } = unit.state
      modes.set(mode.kind, (modes.get(mode.kind) ?? 0) + 1)
      limitW += limit.watts
      if (freshSinceMs !== undefined) powerW += power?.value ?? 0
      if (flags.length > 0) flagged += 1
      for (const code of flags) problems.push({ code, message: FLAGS[code], evse: unit.evse })
    }
    const state: SourceState = flagged === 0 ? 'UP' : 'DEGRADED'
    const byMode = Object.fromEntries([...modes].map(([mode, count]) => [mode.toLowerCase(), count]))
    return {
      name: this.name,
      state,
      figures: {
        evses: this.#units.length,
        limitW: Math.round(limitW),
        powerW: Math.round(powerW),
        flagged,
        ...byMode,
      },
      problems,
    }
  }

  describeEvse(name: string): Readonly<Record<string, string | number>> | undefined {
    const unit = this.#byName.get(name)
    if (unit === undefined) return undefined
    const { mode, limitW, powerW, tempC, demand } = this.#describe(unit)
    return {
      guard: mode,
      limitW,
      ...(powerW !== undefined && { powerW }),
      ...(tempC !== undefined && { tempC }),
      ...(demand !== undefined && { demandW: demand.watts, demandBy: `${demand.source}: ${demand.reason}` }),
    }
  }

  #tick(): void {
    const nowMs = this.#deps.monotonicMs()
    const gapMs = nowMs - this.#tickedMs - this.#config.tickMs
    this.#tickedMs = nowMs
    this.#wheel.advance(nowMs, (index) => {
      const unit = this.#units[index]!
      const lateMs = nowMs - unit.wakeAtMs
      if (lateMs < 0) {
        this.#wheel.schedule(index, unit.wakeAtMs)
        return
      }
      this.#metrics.wakeLate.observe(lateMs / 1_000)
      unit.put({ kind: 'TICK', lateMs })
    })
    // Telemetry waited as well while the process did nothing, so every guard was late, and not only those that wanted to be woken.
    for (const unit of gapMs > 0 ? this.#units : []) {
      if (gapMs > unit.rules.lateMs) unit.put({ kind: 'TICK', lateMs: gapMs })
    }
    if (nowMs - this.#sweptMs >= DEMAND_SWEEP_MS) {
      this.#sweptMs = nowMs
      for (const unit of this.#units) this.#putDemand(unit)
    }
  }

  /** Tells a guard what is wanted of it now, if that is news. Demands end by the wall clock, guards count by the other. */
  #putDemand(unit: GuardUnit): void {
    const { now, monotonicMs } = this.#deps
    const nowMs = now()
    const demand = this.#book.for(unit.evse, nowMs)
    const watts = demand?.watts ?? 0
    const untilMs = demand === undefined ? Number.NEGATIVE_INFINITY : monotonicMs() + demand.untilMs - nowMs
    const before = this.#demands.get(unit) ?? { watts: 0, untilMs: Number.NEGATIVE_INFINITY }
    const isMoved = Math.abs(untilMs - before.untilMs) > DEMAND_SWEEP_MS
    if (before.watts === watts && (before.untilMs === untilMs || !isMoved)) return
    this.#demands.set(unit, { watts, untilMs })
    unit.put({ kind: 'DEMAND', watts, untilMs })
  }

  async #pauseAll(): Promise<void> {
    const discharging = this.#units.filter((unit) => unit.state.limit.watts > 0)
    const signal = AbortSignal.timeout(PAUSE_ON_STOP_MS)
    await Promise.allSettled(
      discharging.map(async (unit) => {
        unit.close()
        const answer = await unit.port.setLimit(unit.evse, 0, signal)
        if (answer !== 'ACCEPTED') this.#deps.log.warn({ evse: unit.evse, answer }, 'was not paused at the end')
      }),
    )
  }

  #describe(unit: GuardUnit): ControlledEvse {
    const { mode, limit, powerW, tempC, freshSinceMs, flags } = unit.state
    return {
      evse: unit.evse,
      mode: mode.kind,
      limitW: limit.watts,
      powerW: freshSinceMs === undefined ? undefined : powerW?.value,
      tempC: tempC?.value,
      demand: this.#book.for(unit.evse, this.#deps.now()),
      flags,
    }
  }
}
