import type { CommandAnswer, CommandPort } from './commandPort.ts'
import { FLAGS, type FlagCode } from './flags.ts'
import { step } from './guard.ts'
import type { GuardRules } from './guardConfig.ts'
import { type GuardCommand, type GuardInput, type GuardState, initialGuardState } from './guardState.ts'
import type { Logger } from '../../runtime/log.ts'
import { CommandLane } from './commandLane.ts'
import type { GuardMetrics } from './guardMetrics.ts'

export interface GuardUnitSettings {
  readonly evse: string
  readonly rules: GuardRules
  readonly port: CommandPort
  readonly commandTimeoutMs: number
  readonly monotonicMs: () => number
  readonly metrics: GuardMetrics
  readonly log: Logger
  /** After every step: when it wants to be woken. */
  readonly wake: (atMs: number) => void
}

/** Alarms for a person on the spot, not for a dashboard. */
const ALARMS: readonly FlagCode[] = ['STOP_NOT_OBEYED', 'COMMAND_NOT_OBEYED', 'RATED_POWER_EXCEEDED']

/** One EVSE's guard with what it needs of the world: its commands are carried out, its flags told, its figures counted. */
export class GuardUnit {
  readonly evse: string
  readonly #settings: GuardUnitSettings
  readonly #lane: CommandLane
  readonly #flagged = new Set<FlagCode>()
  /** The newest command, and when it was handed over. */
  #sent: { readonly id: number; readonly atMs: number } | undefined
  #state: GuardState
  #wakeAtMs = Number.POSITIVE_INFINITY

  constructor(settings: GuardUnitSettings) {
    this.evse = settings.evse
    this.#settings = settings
    this.#state = initialGuardState(settings.monotonicMs())
    settings.metrics.modes.inc({ mode: this.#state.mode.kind })
    const { evse, port, commandTimeoutMs, log } = settings
    this.#lane = new CommandLane({
      evse,
      port,
      timeoutMs: commandTimeoutMs,
      answered: (command, answer) => this.#answered(command, answer),
      failed: (error) => log.error({ err: error, evse }, 'a command port threw'),
    })
  }

  get state(): GuardState {
    return this.#state
  }

  get rules(): GuardRules {
    return this.#settings.rules
  }

  get port(): CommandPort {
    return this.#settings.port
  }

  get wakeAtMs(): number {
    return this.#wakeAtMs
  }

  put(input: GuardInput): void {
    const { rules, monotonicMs, wake } = this.#settings
    const before = this.#state
    const result = step(rules, before, input, monotonicMs())
    this.#state = result.state
    this.#wakeAtMs = result.wakeAtMs
    // Commands before figures and logs: nothing comes between a decision and its command.
    for (const command of result.commands) this.#send(command)
    this.#count(before, result.state)
    for (const flag of result.raised) this.#raise(flag)
    for (const flag of result.cleared) this.#clear(flag)
    wake(result.wakeAtMs)
  }

  close(): void {
    this.#lane.close()
  }

  #send(command: GuardCommand): void {
    const { metrics, monotonicMs } = this.#settings
    this.#sent = { id: command.id, atMs: monotonicMs() }
    this.#lane.send(command)
    const why = command.kind === 'STOP' ? command.reason : command.why
    metrics.commands.inc({ kind: command.kind === 'LIMIT' && command.watts === 0 ? 'PAUSE' : command.kind, why })
  }

  #answered(command: GuardCommand, answer: CommandAnswer): void {
    const { metrics, monotonicMs, log } = this.#settings
    if (this.#sent?.id === command.id) metrics.commandSeconds.observe((monotonicMs() - this.#sent.atMs) / 1_000)
    metrics.answers.inc({ answer })
    if (answer !== 'ACCEPTED') log.info({ evse: this.evse, command, answer }, 'command was not accepted')
    this.put({ kind: 'ANSWER', id: command.id, answer })
  }

  #count(before: GuardState, after: GuardState): void {
    const { metrics, log } = this.#settings
    if (before.limit.watts !== after.limit.watts) metrics.limitWatts.inc(after.limit.watts - before.limit.watts)
    const power = visibleW(after) - visibleW(before)
    if (power !== 0) metrics.powerWatts.inc(power)
    const [from, to] = [before.mode.kind, after.mode.kind]
    if (from === to) return
    metrics.modes.dec({ mode: from })
    metrics.modes.inc({ mode: to })
    log.debug({ evse: this.evse, from, to, limitW: after.limit.watts }, 'guard')
  }

  #raise(flag: FlagCode): void {
    const { metrics, log } = this.#settings
    metrics.raised.inc({ code: flag })
    // An alarm that repeats is raised again while it is there.
    if (!this.#flagged.has(flag)) metrics.flags.inc({ code: flag })
    this.#flagged.add(flag)
    const { powerW, tempC, gridVoltageV, gridFrequencyHz, limit } = this.#state
    const fields = {
      evse: this.evse,
      code: flag,
      limitW: limit.watts,
      powerW: powerW?.value,
      tempC: tempC?.value,
      gridVoltageV: gridVoltageV?.value,
      gridFrequencyHz: gridFrequencyHz?.value,
    }
    if (ALARMS.includes(flag)) log.error(fields, FLAGS[flag])
    else log.warn(fields, FLAGS[flag])
  }

  #clear(flag: FlagCode): void {
    const { metrics, log } = this.#settings
    metrics.flags.dec({ code: flag })
    this.#flagged.delete(flag)
    log.info({ evse: this.evse, code: flag }, 'over')
  }
}

/** Metered power that can be relied on; nothing while nobody sees it. */
function visibleW(state: GuardState): number {
  return state.freshSinceMs === undefined ? 0 : (state.powerW?.value ?? 0)
}
