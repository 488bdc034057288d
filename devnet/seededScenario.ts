import { INTERVAL_SECONDS, PERIOD_INTERVALS, PERIOD_SECONDS } from '../protocol/limits.ts'
import type { Discharge, FleetCar, FleetEvse, Scenario, ScenarioStep } from './scenario.ts'
import { seededInt } from './seed.ts'
import { SEEDED_START_SECONDS, seededFleet, seededLabel, seededPrices } from './seededFleet.ts'
import { devnetTariff, socDropFor, temperatureC } from './terms.ts'

export interface SeededEvening {
  readonly seed: string
  readonly evseCount: number
  /** Of these; default: none. */
  readonly blsEvses?: number
  /** Simulated time, from 17:00 of the day. */
  readonly minutes: number
}

const STEP_SECONDS = PERIOD_SECONDS
/** One record a minute and charger. */
const RECORD_INTERVALS = 4
const CAPACITIES_WH = [40_000, 58_000, 77_000, 100_000] as const
/** $ 10^-9/Wh; one without an event. */
const PRICES_NANO = [
  180_000, 210_000, 260_000, 320_000, 410_000, 480_000, 520_000, 510_000, 470_000, 430_000, 390_000, 340_000, 0,
  300_000, 250_000, 200_000,
] as const

/** A fleet that feeds in through an evening, the same for the same seed: a step a quarter of an hour. */
export function seededScenario({ seed, evseCount, blsEvses = 0, minutes }: SeededEvening): Scenario {
  const { evses, cars } = seededFleet({ seed, series: '', count: evseCount, capacitiesWh: CAPACITIES_WH })
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
    steps.push({ label: seededLabel(untilSeconds), untilSeconds, discharges })
  }
  return {
    title: `${evseCount} chargers, ${minutes} minutes of an evening, seed ${seed}`,
    startSeconds: SEEDED_START_SECONDS,
    evses,
    cars,
    blsEvses,
    tariff: devnetTariff,
    prices: seededPrices(Math.ceil((endSeconds - SEEDED_START_SECONDS) / PERIOD_SECONDS), PRICES_NANO),
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
