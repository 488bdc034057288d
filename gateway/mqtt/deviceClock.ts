import { CLOCK_SPAN_MS, CLOCK_STEP_MS, CLOCK_TOLERANCE_MS } from './limits.ts'

export interface Arrival {
  /** When it was measured, of the device's clock, milliseconds since the Unix epoch. */
  readonly atMs: number
  /** When it came, of our wall clock. */
  readonly wallMs: number
  /** When it came, of our steady clock. */
  readonly steadyMs: number
}

/**
 * How old a device's measurements are. Two views, and the older one counts, as a fail-safe must not be talked into freshness:
 * by both wall clocks, which a clock behind makes too old and one ahead too young; and by how much later than the quickest message of the last
 * minute or two it came, which needs no agreement of clocks but does not see a delay that all messages have.
 */
export class DeviceClock {
  /** Smallest difference of clocks in this span and in the one before. */
  #smallest = Number.POSITIVE_INFINITY
  #smallestBefore = Number.POSITIVE_INFINITY
  #spanBeganMs = Number.NEGATIVE_INFINITY
  #lastAtMs = Number.NEGATIVE_INFINITY

  /** Undefined for a measurement older than one that came before it. */
  age({ atMs, wallMs, steadyMs }: Arrival): number | undefined {
    const backMs = this.#lastAtMs - atMs
    if (backMs > 0 && backMs <= CLOCK_STEP_MS) return undefined
    if (backMs > CLOCK_STEP_MS) this.#forget() // set back
    this.#lastAtMs = atMs
    if (steadyMs - this.#spanBeganMs >= CLOCK_SPAN_MS) {
      const isNext = steadyMs - this.#spanBeganMs < 2 * CLOCK_SPAN_MS
      this.#smallestBefore = isNext ? this.#smallest : Number.POSITIVE_INFINITY
      this.#smallest = Number.POSITIVE_INFINITY
      this.#spanBeganMs = steadyMs
    }
    const difference = wallMs - atMs
    this.#smallest = Math.min(this.#smallest, difference)
    return Math.max(0, difference, difference - this.#quickest())
  }

  /** How far the device's clock is ahead (positive), by the quickest message; undefined while within the tolerance. */
  get aheadMs(): number | undefined {
    const ahead = -this.#quickest()
    return Number.isFinite(ahead) && Math.abs(ahead) > CLOCK_TOLERANCE_MS ? ahead : undefined
  }

  #quickest(): number {
    return Math.min(this.#smallest, this.#smallestBefore)
  }

  #forget(): void {
    this.#smallest = Number.POSITIVE_INFINITY
    this.#smallestBefore = Number.POSITIVE_INFINITY
  }
}
