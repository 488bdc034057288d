import type { Cutter } from './cutter.ts'
import { flag } from './foldEvent.ts'
import type { MeterEvent } from './meterEvent.ts'

/** A device whose clock is further ahead than this has none: its readings would close the span before the real ones come. */
const MAX_AHEAD_MS = 600_000

/**
 * The message without readings from the future. Undefined: it is from there itself. Nothing is lost by leaving them out: the next reading
 * of the register holds their energy.
 */
export function withoutFuture(event: MeterEvent, nowMs: number): MeterEvent | undefined {
  const latestMs = nowMs + MAX_AHEAD_MS
  if (event.atMs > latestMs) return undefined
  if (event.samples.every(({ atMs }) => atMs <= latestMs)) return event
  return { ...event, samples: event.samples.filter(({ atMs }) => atMs <= latestMs) }
}

export function flagFuture(cutter: Cutter, event: MeterEvent): void {
  flag(
    cutter.state,
    'CLOCK_UNTRUSTED',
    'the device’s clock is more than 10 minutes ahead: those readings do not count',
    event.atMs,
  )
}
