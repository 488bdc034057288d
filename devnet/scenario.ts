import type { Tariff } from '../protocol/tariff.ts'

/** A charger of the fleet. Its slot in the lane is its place in the list. */
export interface FleetEvse {
  readonly ratedW: number
  /** Degrees × 10^7. */
  readonly lat: number
  readonly lon: number
  /** Geofence. */
  readonly radiusM: number
}

/** A car with its owner. Its contract's slot in the lane is its place in the list. */
export interface FleetCar {
  readonly incentiveBps: number
  readonly capacityWh: number
}

/** What a charger measures over one span; its meter turns it into a record. */
export interface Discharge {
  readonly evse: number
  readonly contract: number
  /** First interval since the Unix epoch. */
  readonly start: number
  readonly intervals: number
  readonly energyWh: number
  /** 0.01 %. */
  readonly socDrop: number
  readonly tempC: number
}

/** Prices of consecutive periods, 10^-9 token per Wh; 0: no event. */
export interface PriceRun {
  readonly firstPeriod: number
  readonly nano: readonly number[]
}

/** A stretch of time that ends at `untilSeconds`, and what was measured in it, in the order of the clock. */
export interface ScenarioStep {
  readonly label: string
  readonly untilSeconds: number
  readonly discharges: readonly Discharge[]
}

/** Everything that a devnet run plays, known before it starts: the same scenario always yields the same credits. */
export interface Scenario {
  readonly title: string
  /** When the first step begins; the chain starts earlier. */
  readonly startSeconds: number
  readonly evses: readonly FleetEvse[]
  readonly cars: readonly FleetCar[]
  /** So many of the last chargers, each with a car of its own, sign with BLS12-381, in a lane of their own. Default: none. */
  readonly blsEvses?: number
  readonly tariff: Tariff
  /** In order; each is published at least an hour before its first period. */
  readonly prices: readonly PriceRun[]
  readonly steps: readonly ScenarioStep[]
}

export function scenarioDischarges(scenario: Scenario): Discharge[] {
  return scenario.steps.flatMap((step) => step.discharges)
}
