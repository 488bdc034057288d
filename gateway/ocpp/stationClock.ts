import { CLOCK_WINDOW } from './limits.ts'

/**
 * How far a station's clock is off, seen from what arrives: receipt − timestamp is the difference of the clocks plus the way and the wait. The
 * least of the last messages is nearest to the truth. Messages that were kept back say nothing and are not given in.
 */
export class StationClock {
  readonly #limitMs: number
  readonly #behindMs: number[] = []

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  observe(receivedMs: number, timestampMs: number): void {
    this.#behindMs.push(receivedMs - timestampMs)
    if (this.#behindMs.length > CLOCK_WINDOW) this.#behindMs.shift()
  }

  /** The station sets its clock by the answer to BootNotification: what was seen before is over. */
  reset(): void {
    this.#behindMs.length = 0
  }

  /** Positive: the station is behind. Undefined: nothing seen yet. */
  offsetMs(): number | undefined {
    return this.#behindMs.length === 0 ? undefined : Math.min(...this.#behindMs)
  }

  trusted(): boolean {
    return Math.abs(this.offsetMs() ?? 0) <= this.#limitMs
  }
}
