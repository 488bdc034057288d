import type { Telemetry, TelemetrySink } from '../../evse/guard/telemetry.ts'
import { MAX_TELEMETRY_BYTES } from '../../evse/mqtt/limits.ts'
import { parsePayload, telemetrySchema } from '../../evse/mqtt/payloads.ts'
import type { SourceProblem } from '../sourceStatus.ts'
import { DeviceClock } from './deviceClock.ts'
import { CLOCK_TOLERANCE_MS } from './limits.ts'
import type { MqttMetrics } from './metrics.ts'

interface Device {
  readonly clock: DeviceClock
  lastSeq: number | undefined
}

/** A gap above that is a device that began anew, not so many lost messages. */
const MAX_GAP = 10_000

/** Puts an age on telemetry and passes it on. One per gateway; only known EVSEs come here, so its memory is bounded by the fleet. */
export class TelemetryIntake {
  readonly #devices = new Map<string, Device>()
  readonly #sink: TelemetrySink
  readonly #metrics: MqttMetrics
  readonly #now: () => number
  readonly #monotonicMs: () => number

  constructor(settings: { sink: TelemetrySink; metrics: MqttMetrics; now: () => number; monotonicMs: () => number }) {
    this.#sink = settings.sink
    this.#metrics = settings.metrics
    this.#now = settings.now
    this.#monotonicMs = settings.monotonicMs
  }

  /** Why it was refused; undefined when it was taken or is out of date. */
  take(evse: string, payload: Uint8Array): string | undefined {
    const parsed = parsePayload(telemetrySchema, payload, MAX_TELEMETRY_BYTES)
    if (!parsed.ok) return parsed.why
    const { atMs, seq, ...measured } = parsed.value
    const device = this.#device(evse)
    this.#countMissed(device, seq)
    const steadyMs = this.#monotonicMs()
    const ageMs = device.clock.age({ atMs, wallMs: this.#now(), steadyMs })
    if (ageMs === undefined) return undefined
    this.#metrics.telemetryAge.observe(ageMs / 1000)
    this.#sink(evse, { ...(measured as Omit<Telemetry, 'atMs'>), atMs: steadyMs - ageMs })
    return undefined
  }

  problems(): SourceProblem[] {
    return [...this.#devices].flatMap(([evse, { clock }]) => {
      const ahead = clock.aheadMs
      if (ahead === undefined) return []
      const off = `${Math.abs(Math.round(ahead))} ms ${ahead > 0 ? 'ahead' : 'behind, or its messages take so long'}`
      const message = `the clock of ${evse} is ${off}; more than ${CLOCK_TOLERANCE_MS} ms is too much`
      return [{ code: 'CLOCK_UNTRUSTED', message, evse }]
    })
  }

  #device(evse: string): Device {
    let device = this.#devices.get(evse)
    if (device === undefined) {
      device = { clock: new DeviceClock(), lastSeq: undefined }
      this.#devices.set(evse, device)
    }
    return device
  }

  #countMissed(device: Device, seq: number | undefined): void {
    const { lastSeq } = device
    device.lastSeq = seq
    if (seq === undefined || lastSeq === undefined) return
    const gap = seq - lastSeq - 1
    if (gap > 0 && gap < MAX_GAP) this.#metrics.telemetryMissed.inc(gap)
  }
}
