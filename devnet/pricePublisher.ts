import type { Address } from 'viem'
import type { Caller } from '../l1/contractCall.ts'
import { setPrices } from '../l1/operate/tariffs.ts'
import { PERIOD_SECONDS } from '../protocol/limits.ts'
import type { PriceRun } from './scenario.ts'

/** The zone's publisher: prices go out an hour before their first period at the latest, and so before they freeze. */
export class PricePublisher {
  readonly #caller: Caller
  readonly #tariff: Address
  readonly #zone: number
  readonly #waiting: PriceRun[]

  constructor(parts: { caller: Caller; tariff: Address; zone: number; prices: readonly PriceRun[] }) {
    this.#caller = parts.caller
    this.#tariff = parts.tariff
    this.#zone = parts.zone
    this.#waiting = [...parts.prices]
  }

  /** To be called before the clock moves to `seconds`. */
  async publishBefore(seconds: number): Promise<void> {
    while (
      this.#waiting.length > 0 &&
      this.#waiting[0]!.firstPeriod * PERIOD_SECONDS < seconds + PRICES_AHEAD_SECONDS
    ) {
      const run = this.#waiting.shift()!
      await setPrices(this.#caller, this.#tariff, { zone: this.#zone, ...run })
    }
  }
}

const PRICES_AHEAD_SECONDS = 3_600
