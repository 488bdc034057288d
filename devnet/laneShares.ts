import { Scheme } from '../protocol/scheme.ts'
import type { Discharge, Scenario } from './scenario.ts'

/** What of a scenario is one lane's: its chargers and cars, which count from 0 there. */
export interface LaneShare {
  readonly scheme: Scheme
  /** Place in the whole scenario of the lane's first charger and car. */
  readonly firstEvse: number
  readonly firstCar: number
  readonly scenario: Scenario
}

/** The last `blsEvses` chargers, each with a car of its own, make a BLS lane; the others a P-256 lane. */
export function shareOut(scenario: Scenario): readonly LaneShare[] {
  const { blsEvses = 0, evses, cars } = scenario
  const [firstEvse, firstCar] = [evses.length - blsEvses, cars.length - blsEvses]
  const p256 = part(scenario, { from: 0, to: firstEvse }, { from: 0, to: firstCar })
  const bls = part(scenario, { from: firstEvse, to: evses.length }, { from: firstCar, to: cars.length })
  const shares = [
    { scheme: Scheme.P256, firstEvse: 0, firstCar: 0, scenario: p256 },
    { scheme: Scheme.BLS, firstEvse, firstCar, scenario: bls },
  ]
  return shares.filter((share) => share.scenario.evses.length > 0)
}

interface Span {
  readonly from: number
  readonly to: number
}

function part(scenario: Scenario, evses: Span, cars: Span): Scenario {
  const renumbered = (discharge: Discharge): Discharge => ({
    ...discharge,
    evse: discharge.evse - evses.from,
    contract: discharge.contract - cars.from,
  })
  return {
    ...scenario,
    evses: scenario.evses.slice(evses.from, evses.to),
    cars: scenario.cars.slice(cars.from, cars.to),
    steps: scenario.steps.map((step) => ({
      ...step,
      discharges: step.discharges.filter(({ evse }) => evse >= evses.from && evse < evses.to).map(renumbered),
    })),
  }
}
