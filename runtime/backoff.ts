export interface BackoffSettings {
  readonly firstMs: number
  readonly maxMs: number
  /** 0 … 1; up to half as much again is added, so that a fleet that was turned away together does not come back together. */
  readonly random: () => number
}

/** Waits that double with each failure in a row. */
export class Backoff {
  readonly #settings: BackoffSettings
  #failures = 0

  constructor(settings: BackoffSettings) {
    this.#settings = settings
  }

  get failures(): number {
    return this.#failures
  }

  /** Milliseconds to wait after one more failure; at least what was asked for. */
  fail(askedMs = 0): number {
    const { firstMs, maxMs, random } = this.#settings
    const delayMs = Math.min(firstMs * 2 ** Math.min(this.#failures, 30), maxMs)
    this.#failures++
    return Math.max(delayMs, askedMs) * (1 + random() / 2)
  }

  reset(): void {
    this.#failures = 0
  }
}
