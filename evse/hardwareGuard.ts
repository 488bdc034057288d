import type { Logger } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Component } from '../runtime/service.ts'
import type { CommandPort } from './guard/commandPort.ts'
import { FLAGS } from './guard/flags.ts'
import { type GuardConfig, guardRules } from './guard/guardConfig.ts'
import { guardMetrics } from './guard/guardMetrics.ts'
import { GuardUnit } from './guard/guardUnit.ts'
import type { Telemetry } from './guard/telemetry.ts'
import type { EdgeProblem } from './problem.ts'

export interface HardwareGuardSettings {
  readonly evse: string
  readonly ratedW: number
  readonly config: GuardConfig
  /** The charger's own electronics. */
  readonly hardware: CommandPort
  readonly monotonicMs: () => number
  readonly log: Logger
  readonly metrics: Metrics
}

/** The hardware answers within this or not at all: a contactor that takes longer is broken. */
const COMMAND_TIMEOUT_MS = 2_000

/** The fail-safe next to the hardware. */
export class HardwareGuard implements Component {
  readonly name = 'guard'
  /**
   * For whoever is far away (a gateway, over MQTT): a limit from there is what is wanted until another comes, and what the hardware is told is the
   * guard's decision; a stop goes through at once.
   */
  readonly controls: CommandPort
  readonly #settings: HardwareGuardSettings
  readonly #unit: GuardUnit
  #timer: NodeJS.Timeout | undefined

  constructor(settings: HardwareGuardSettings) {
    this.#settings = settings
    const { evse, config, ratedW, hardware, monotonicMs, log, metrics } = settings
    this.controls = {
      setLimit: async (_, watts) => {
        this.demand(watts)
        return this.#unit.state.mode.kind === 'STOPPED' && watts > 0 ? 'REJECTED' : 'ACCEPTED'
      },
      stop: (name, reason, signal) => {
        this.demand(0)
        return hardware.stop(name, reason, signal)
      },
    }
    this.#unit = new GuardUnit({
      evse,
      rules: guardRules(config, ratedW),
      port: hardware,
      commandTimeoutMs: COMMAND_TIMEOUT_MS,
      monotonicMs,
      metrics: guardMetrics(metrics),
      log: log.child({ stage: 'guard' }),
      wake: (atMs) => this.#wakeAt(atMs),
    })
  }

  start(): void {
    this.#unit.put({ kind: 'TICK' })
  }

  /** Takes the power away before it leaves: nobody watches after it. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    const { evse, hardware, log } = this.#settings
    this.#unit.close()
    const answer = await hardware.setLimit(evse, 0, AbortSignal.timeout(COMMAND_TIMEOUT_MS))
    if (answer !== 'ACCEPTED') log.warn({ evse, answer }, 'the last pause was not accepted')
  }

  telemetry(telemetry: Telemetry): void {
    this.#unit.put({ kind: 'TELEMETRY', telemetry })
  }

  /** How much is wanted, W; 0: nothing. `forMs`: for so long; Infinity: until another word. */
  demand(watts: number, forMs = Number.POSITIVE_INFINITY): void {
    this.#unit.put({ kind: 'DEMAND', watts, untilMs: this.#settings.monotonicMs() + forMs })
  }

  linkLost(): void {
    this.#unit.put({ kind: 'LINK_LOST' })
  }

  reset(): void {
    this.#unit.put({ kind: 'RESET' })
  }

  problems(): readonly EdgeProblem[] {
    return this.#unit.state.flags.map((code) => ({ code, message: FLAGS[code], evse: this.#settings.evse }))
  }

  figures(): { mode: string; limitW: number; powerW: number | undefined; tempC: number | undefined } {
    const { mode, limit, powerW, tempC } = this.#unit.state
    return { mode: mode.kind, limitW: limit.watts, powerW: powerW?.value, tempC: tempC?.value }
  }

  #wakeAt(atMs: number): void {
    clearTimeout(this.#timer)
    if (atMs === Number.POSITIVE_INFINITY) return
    const { monotonicMs } = this.#settings
    this.#timer = setTimeout(
      () => this.#unit.put({ kind: 'TICK', lateMs: Math.max(0, monotonicMs() - atMs) }),
      Math.max(0, Math.min(atMs - monotonicMs(), 2 ** 31 - 1)),
    )
  }
}
