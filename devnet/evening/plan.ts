import { INTERVAL_SECONDS, PERIOD_SECONDS } from '../../protocol/limits.ts'
import type { FleetCar, FleetEvse, Scenario } from '../scenario.ts'
import { seededInt } from '../seed.ts'
import { SEEDED_START_SECONDS, seededFleet, seededLabel, seededPrices } from '../seededFleet.ts'
import { devnetTariff } from '../terms.ts'

export interface EveningSize {
  readonly seed: string
  /** Chargers behind OCPP stations; they come first. */
  readonly ocppEvses: number
  /** Chargers that sign by themselves and speak MQTT. */
  readonly mqttEvses: number
  /** Simulated time from 17:00 on, in whole settlement periods. */
  readonly periods: number
}

/** What a charger's meter and the car show at one moment. */
export interface Reading {
  readonly atSeconds: number
  /** Export register, 10^-3 Wh. */
  readonly exportMilliWh: number
  readonly powerW: number
  /** State of charge, 0.01 %. */
  readonly socBp: number
  readonly tempC: number
}

/** A car at a charger, from the first reading to the last. */
export interface Session {
  readonly evse: number
  /** Lane slot of the car's contract. */
  readonly contract: number
  readonly transaction: string
  readonly readings: readonly Reading[]
}

export interface EveningPlan {
  readonly size: EveningSize
  /** Chargers, cars, prices and the steps of the clock; what is fed in is in the sessions. */
  readonly scenario: Scenario
  /** In the order of the clock for each charger. */
  readonly sessions: readonly Session[]
}

const SAMPLE_SECONDS = 60
const CAPACITIES_WH = [58_000, 77_000, 100_000] as const
/** $ 10^-9/Wh; every one has an event, since whatever is metered must be credited. */
const PRICES_NANO = [180_000, 210_000, 260_000, 320_000, 410_000, 480_000, 520_000, 390_000] as const
const FIRST_SOC_BP = 9_600

/** The same seed makes the same evening. */
export function eveningPlan(size: EveningSize): EveningPlan {
  const { seed, ocppEvses, mqttEvses, periods } = size
  const count = ocppEvses + mqttEvses
  const { evses, cars } = seededFleet({ seed, series: 'evening-', count, capacitiesWh: CAPACITIES_WH })
  const endSeconds = SEEDED_START_SECONDS + periods * PERIOD_SECONDS
  const scenario: Scenario = {
    title: `an evening of ${ocppEvses} OCPP and ${mqttEvses} MQTT chargers, ${periods * 15} minutes, seed ${seed}`,
    startSeconds: SEEDED_START_SECONDS,
    evses,
    cars,
    tariff: devnetTariff,
    prices: seededPrices(periods, PRICES_NANO),
    steps: Array.from({ length: periods }, (_, index) => {
      const untilSeconds = SEEDED_START_SECONDS + (index + 1) * PERIOD_SECONDS
      return { label: seededLabel(untilSeconds), untilSeconds, discharges: [] }
    }),
  }
  const sessions = evses.flatMap((evse, index) => sessionsOf({ seed, index, evse, cars, endSeconds }))
  return { size, scenario, sessions }
}

/** One long stay, or two with another car after a break. */
function sessionsOf(parts: {
  seed: string
  index: number
  evse: FleetEvse
  cars: readonly FleetCar[]
  endSeconds: number
}): Session[] {
  const { seed, index, evse, cars, endSeconds } = parts
  const int = (what: string, least: number, count: number): number =>
    seededInt(seed, `evening-${what}`, index, { least, count })
  // On the grid of 15 seconds, so that a stay's energy is all in whole intervals.
  const onGrid = (seconds: number): number => Math.floor(seconds / INTERVAL_SECONDS) * INTERVAL_SECONDS
  const from = SEEDED_START_SECONDS + onGrid(int('from', 15, 600))
  const to = endSeconds - onGrid(int('to', 60, 500))
  const spans =
    int('stays', 0, 3) === 0 && to - from > 1_500
      ? [
          { from, to: from + onGrid((to - from) / 2) - 120 },
          { from: from + onGrid((to - from) / 2) + 120, to },
        ]
      : [{ from, to }]
  // A meter was never new.
  let registerMilliWh = 1_000 * int('register', 1_000, 5_000_000)
  return spans.map((span, stay) => {
    // The second car of a charger is the first one of its neighbour's number: every contract is credited by two chargers at most.
    const contract = stay === 0 ? index : (index + 1) % cars.length
    const capacityWh = cars[contract]!.capacityWh
    const firstMilliWh = registerMilliWh
    const readings: Reading[] = []
    const add = (atSeconds: number, powerW: number): void => {
      const usedWh = (registerMilliWh - firstMilliWh) / 1_000
      const socBp = FIRST_SOC_BP - Math.ceil((usedWh * 10_000) / capacityWh)
      readings.push({ atSeconds, exportMilliWh: registerMilliWh, powerW, socBp, tempC: 28 + (int('temp', 0, 12) % 12) })
    }
    add(span.from, 0)
    for (let at = span.from; at < span.to; ) {
      const next = Math.min(span.to, (Math.floor(at / SAMPLE_SECONDS) + 1) * SAMPLE_SECONDS)
      const loadPercent = seededInt(seed, `evening-load-${next}`, index, { least: 30, count: 60 })
      // Multiples of 6 W come to whole 10^-3 Wh in 15 seconds: meters of any make agree on them.
      const powerW = Math.floor((evse.ratedW * loadPercent) / 600) * 6
      registerMilliWh += (powerW * (next - at) * 1_000) / 3_600
      add(next, powerW)
      at = next
    }
    return { evse: index, contract, transaction: `evening-${index}-${stay}`, readings }
  })
}
