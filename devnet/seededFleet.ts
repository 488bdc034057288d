import { PERIOD_SECONDS } from '../protocol/limits.ts'
import type { FleetCar, FleetEvse, PriceRun } from './scenario.ts'
import { seededInt } from './seed.ts'
import { incentiveBpsOf } from './terms.ts'

/** A weekday of the evening peak, when cars are worth most to a grid. */
export const SEEDED_START_SECONDS = Date.UTC(2026, 8, 22, 17) / 1000
const RATED_W = [7_400, 11_000, 22_000] as const
/** Prices that are published at once. */
const PERIODS_PER_RUN = 8

export interface SeededFleetOptions {
  readonly seed: string
  /** Keeps fleets of one seed apart. */
  readonly series: string
  readonly count: number
  readonly capacitiesWh: readonly number[]
}

/** Chargers of one town, and as many cars. */
export function seededFleet(options: SeededFleetOptions): { evses: readonly FleetEvse[]; cars: readonly FleetCar[] } {
  const { seed, series, count, capacitiesWh } = options
  const pick = <T>(what: string, index: number, list: readonly T[]): T =>
    list[seededInt(seed, `${series}${what}`, index, { least: 0, count: list.length })]!
  const evses = Array.from({ length: count }, (_, index) => ({
    ratedW: pick('rated', index, RATED_W),
    lat: seededInt(seed, `${series}lat`, index, { least: 525_000_000, count: 200_000 }),
    lon: seededInt(seed, `${series}lon`, index, { least: 134_000_000, count: 200_000 }),
    radiusM: 50,
  }))
  const cars = Array.from({ length: count }, (_, index) => ({
    incentiveBps: incentiveBpsOf(index),
    capacityWh: pick('capacity', index, capacitiesWh),
  }))
  return { evses, cars }
}

/** `nano` of the quarter hours from 17:00 on, then again from the start. */
export function seededPrices(periods: number, nano: readonly number[]): PriceRun[] {
  const firstPeriod = SEEDED_START_SECONDS / PERIOD_SECONDS
  const runs: PriceRun[] = []
  for (let from = 0; from < periods; from += PERIODS_PER_RUN) {
    const length = Math.min(PERIODS_PER_RUN, periods - from)
    const run = Array.from({ length }, (_, i) => nano[(from + i) % nano.length]!)
    runs.push({ firstPeriod: firstPeriod + from, nano: run })
  }
  return runs
}

/** A step's, by its end: hour and minute. */
export function seededLabel(untilSeconds: number): string {
  return new Date(untilSeconds * 1000).toISOString().slice(11, 16)
}
