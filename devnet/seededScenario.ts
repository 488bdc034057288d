import { INTERVAL_SECONDS, PERIOD_INTERVALS, PERIOD_SECONDS } from '../protocol/limits.ts'
import type { Discharge, FleetCar, FleetEvse, PriceRun, Scenario, ScenarioStep } from './scenario.ts'
import { seededInt } from './seed.ts'
import { devnetTariff, incentiveBpsOf, socDropFor, temperatureC } from './terms.ts'

export interface SeededFleet {
  readonly seed: string
  readonly evseCount: number
  /** Of these; default: none. */
  readonly blsEvses?: number
  /** Simulated time, from 17:00 of the day. */
  readonly minutes: number
}

/** A weekday of the evening peak, when cars are worth most to a grid. */
export const SEEDED_START_SECONDS = Date.UTC(2026, 8, 22, 17) / 1000
const STEP_SECONDS = PERIOD_SECONDS
/** One record a minute and charger. */
const RECORD_INTERVALS = 4
const CAPACITIES_WH = [40_000, 58_000, 77_000, 100_000] as const
const RATED_W = [7_400, 11_000, 22_000] as const
/** $ 10^-9/Wh of the quarter hours from 17:00 on, then again from the start; one without an event. */
const BUILT_IN_PRICES = [
  180_000, 210_000, 260_000, 320_000, 410_000, 480_000, 520_000, 510_000, 470_000, 430_000, 390_000, 340_000, 0,
  300_000, 250_000, 200_000,
] as const

/** A fleet that feeds in through an evening, the same for the same seed: a step a quarter of an hour. */
export function seededScenario(fleet: SeededFleet): Scenario {
  const { seed, evseCount, blsEvses = 0, minutes } = fleet
  const pick = <T>(what: string, index: number, list: readonly T[]): T =>
    list[seededInt(seed, what, index, { least: 0, count: list.length })]!
  const evses: FleetEvse[] = Array.from({ length: evseCount }, (_, index) => ({
    ratedW: pick('rated', index, RATED_W),
    lat: seededInt(seed, 'lat', index, { least: 525_000_000, count: 200_000 }),
    lon: seededInt(seed, 'lon', index, { least: 134_000_000, count: 200_000 }),
    radiusM: 50,
  }))
  const cars: FleetCar[] = Array.from({ length: evseCount }, (_, index) => ({
    incentiveBps: incentiveBpsOf(index),
    capacityWh: pick('capacity', index, CAPACITIES_WH),
  }))
  const steps: ScenarioStep[] = []
  const endSeconds = SEEDED_START_SECONDS + minutes * 60
  for (let from = SEEDED_START_SECONDS; from < endSeconds; from += STEP_SECONDS) {
    const untilSeconds = Math.min(from + STEP_SECONDS, endSeconds)
    const discharges: Discharge[] = []
    for (
      let second = from;
      second + RECORD_INTERVALS * INTERVAL_SECONDS <= untilSeconds;
      second += RECORD_INTERVALS * INTERVAL_SECONDS
    ) {
      for (const [index, evse] of evses.entries()) {
        const dischargeOf = minuteOf(second, { seed, index, evse, car: cars[index]! })
        if (dischargeOf !== undefined) discharges.push(dischargeOf)
      }
    }
    steps.push({ label: new Date(untilSeconds * 1000).toISOString().slice(11, 16), untilSeconds, discharges })
  }
  return {
    title: `${evseCount} chargers, ${minutes} minutes of an evening, seed ${seed}`,
    startSeconds: SEEDED_START_SECONDS,
    evses,
    cars,
    blsEvses,
    tariff: devnetTariff,
    prices: builtInPrices(endSeconds),
    steps,
  }
}

/** What a charger measures in the minute from `second` on; undefined while its car pauses, a quarter of an hour in eight. */
function minuteOf(
  second: number,
  parts: { seed: string; index: number; evse: FleetEvse; car: FleetCar },
): Discharge | undefined {
  const { seed, index, evse, car } = parts
  const start = second / INTERVAL_SECONDS
  const period = Math.floor(start / PERIOD_INTERVALS)
  if (seededInt(seed, `pause-${period}`, index, { least: 0, count: 8 }) === 0) return undefined
  const loadPercent = seededInt(seed, `load-${start}`, index, { least: 40, count: 60 })
  const energyWh = Math.max(1, Math.floor((evse.ratedW * loadPercent) / 100 / 60))
  return {
    evse: index,
    contract: index,
    start,
    intervals: RECORD_INTERVALS,
    energyWh,
    socDrop: socDropFor(energyWh, car.capacityWh),
    tempC: temperatureC(Math.floor((start % (8 * PERIOD_INTERVALS)) / PERIOD_INTERVALS)),
  }
}

function builtInPrices(endSeconds: number): PriceRun[] {
  const firstPeriod = SEEDED_START_SECONDS / PERIOD_SECONDS
  const periods = Math.ceil(endSeconds / PERIOD_SECONDS) - firstPeriod
  const runs: PriceRun[] = []
  for (let from = 0; from < periods; from += 8) {
    const count = Math.min(8, periods - from)
    runs.push({
      firstPeriod: firstPeriod + from,
      nano: Array.from({ length: count }, (_, i) => BUILT_IN_PRICES[(from + i) % BUILT_IN_PRICES.length]!),
    })
  }
  return runs
}
