import { type GuardStep, step } from '../../../evse/guard/guard.ts'
import { guardConfigSchema, type GuardRules, guardRules } from '../../../evse/guard/guardConfig.ts'
import {
  type GuardCommand,
  type GuardInput,
  type GuardState,
  initialGuardState,
} from '../../../evse/guard/guardState.ts'
import type { Telemetry } from '../../../evse/guard/telemetry.ts'
import { parseConfig } from '../../../runtime/config.ts'

export const RATED_W = 10_000

export function rulesOf(config: Record<string, unknown> = {}): GuardRules {
  return guardRules(parseConfig(guardConfigSchema, config), RATED_W)
}

export const GOOD: Omit<Telemetry, 'atMs'> = {
  powerW: 0,
  tempC: 30,
  gridVoltageV: 230,
  gridFrequencyHz: 50,
  plcSnrDb: 30,
  contactorClosed: true,
}

/** A guard, and the time that it is woken in as it asks for. */
export class Bench {
  readonly rules: GuardRules
  state: GuardState
  wakeAtMs = Number.POSITIVE_INFINITY
  readonly commands: { atMs: number; command: GuardCommand }[] = []
  readonly raised: { atMs: number; flag: string }[] = []
  /** Called after every step. */
  onStep: ((before: GuardState, result: GuardStep) => void) | undefined

  constructor(rules: GuardRules, state: GuardState = initialGuardState(0)) {
    this.rules = rules
    this.state = state
  }

  get nowMs(): number {
    return this.state.nowMs
  }

  get kind(): string {
    return this.state.mode.kind
  }

  get limitW(): number {
    return this.state.limit.watts
  }

  /** Wakes the guard whenever it asks for it until then, and then puts the input in. */
  at(ms: number, input: GuardInput): GuardStep {
    this.pass(ms)
    return this.put(input, ms)
  }

  pass(untilMs: number): void {
    while (this.wakeAtMs < untilMs) this.put({ kind: 'TICK' }, this.wakeAtMs)
  }

  put(input: GuardInput, ms: number): GuardStep {
    const before = this.state
    const result = step(this.rules, before, input, ms)
    this.state = result.state
    this.wakeAtMs = result.wakeAtMs
    for (const command of result.commands) this.commands.push({ atMs: this.state.nowMs, command })
    for (const flag of result.raised) this.raised.push({ atMs: this.state.nowMs, flag })
    this.onStep?.(before, result)
    return result
  }

  telemetry(ms: number, change: Partial<Telemetry> = {}): GuardStep {
    return this.at(ms, {
      kind: 'TELEMETRY',
      telemetry: { ...GOOD, gridFrequencyHz: this.rules.grid.nominalHz, atMs: ms, ...change },
    })
  }

  demand(ms: number, watts: number, untilMs = Number.POSITIVE_INFINITY): GuardStep {
    return this.at(ms, { kind: 'DEMAND', watts, untilMs })
  }

  /** An EVSE that obeys at once and reports every 100 ms, until then. `change` may overwrite what it reports. */
  obey(untilMs: number, change: Partial<Telemetry> = {}): void {
    for (let ms = this.nowMs + 100; ms <= untilMs; ms += 100) {
      this.accept()
      this.telemetry(ms, { powerW: this.state.mode.kind === 'STOPPED' ? 0 : this.limitW, ...change })
    }
    this.accept()
  }

  accept(): void {
    this.put({ kind: 'ANSWER', id: this.state.commandId, answer: 'ACCEPTED' }, this.nowMs)
  }

  /** From nothing to full power for a demand of 5 kW. */
  static discharging(config: Record<string, unknown> = {}): Bench {
    const bench = new Bench(rulesOf(config))
    bench.obey(2_000)
    bench.demand(2_000, 5_000)
    bench.obey(10_000)
    return bench
  }
}
