import type { CommandAnswer, CommandPort } from '../../../evse/guard/commandPort.ts'
import type { Telemetry } from '../../../evse/guard/telemetry.ts'
import { type ControlConfig, controlConfigSchema } from '../../../gateway/control/config.ts'
import { type Control, openControl } from '../../../gateway/control/control.ts'
import type { EdgeEvse } from '../../../gateway/fleet/directory.ts'
import { parseConfig } from '../../../runtime/config.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics, type Metrics } from '../../../runtime/metrics.ts'

export function edgeEvse(name: string, change: Partial<EdgeEvse> = {}): EdgeEvse {
  return {
    name,
    lane: 0,
    slot: 0,
    ratedW: 10_000,
    lat: 0,
    lon: 0,
    publicKey: new Uint8Array(64),
    ocpp: undefined,
    signedValues: 'ignore',
    meterKey: undefined,
    telemetry: 'mqtt',
    ...change,
  }
}

export interface Sent {
  readonly evse: string
  readonly atMs: number
  /** Undefined: a stop. */
  readonly watts: number | undefined
  readonly signal: AbortSignal
}

/** A port that notes what it is told, when, and says what it is asked to. */
export class NotingPort implements CommandPort {
  readonly sent: Sent[] = []
  onSent: ((sent: Sent) => void) | undefined
  answer: () => Promise<CommandAnswer> = async () => 'ACCEPTED'

  setLimit(evse: string, watts: number, signal: AbortSignal): Promise<CommandAnswer> {
    return this.#note({ evse, watts, atMs: performance.now(), signal })
  }

  stop(evse: string, _reason: string, signal: AbortSignal): Promise<CommandAnswer> {
    return this.#note({ evse, watts: undefined, atMs: performance.now(), signal })
  }

  #note(sent: Sent): Promise<CommandAnswer> {
    this.sent.push(sent)
    this.onSent?.(sent)
    return this.answer()
  }

  wattsOf(evse: string): (number | undefined)[] {
    return this.sent.filter((one) => one.evse === evse).map(({ watts }) => watts)
  }
}

export const GOOD: Omit<Telemetry, 'atMs'> = {
  powerW: 0,
  tempC: 30,
  gridVoltageV: 230,
  gridFrequencyHz: 50,
  contactorClosed: true,
}

/** Fast limits, so that a test need not wait for a ramp of seconds; and times that a busy machine does not reach by itself. */
export const QUICK = {
  guard: {
    telemetry: { staleMs: 1_000, resumeAfterMs: 0 },
    rampUpWPerS: 1_000_000,
    rampStepMs: 50,
    obey: { withinMs: 100_000 },
    thermal: { maxAgeMs: 3_600_000 },
    lateMs: 10_000,
  },
}

export function configOf(value: unknown): ControlConfig {
  return parseConfig(controlConfigSchema, value)
}

export interface Rig extends AsyncDisposable {
  readonly control: Control
  readonly port: NotingPort
  readonly metrics: Metrics
}

/** A running control on the real clock. */
export function startControl(settings: {
  evses: readonly EdgeEvse[]
  /** In the configuration, and not on L1 yet. */
  later?: readonly EdgeEvse[]
  config?: unknown
  now?: () => number
}): Rig {
  const port = new NotingPort()
  const metrics = createMetrics({ service: 'test', process: false })
  const control = openControl(configOf(settings.config ?? QUICK), {
    configured: [...settings.evses, ...(settings.later ?? [])],
    portOf: () => port,
    now: settings.now ?? Date.now,
    monotonicMs: () => performance.now(),
    metrics,
    log: silentLogger(),
  })
  for (const evse of settings.evses) control.admit(evse)
  void control.start?.({ signal: new AbortController().signal, fail: () => {} })
  return { control, port, metrics, [Symbol.asyncDispose]: async () => control.stop?.() }
}
