import { type Tariff, tariffFrom } from '../protocol/tariff.ts'

/** What the devnet's zone pays: more for power and for staying plugged in, less for a hot battery, nothing from 60 °C on. */
export const devnetTariff: Tariff = tariffFrom({
  socToleranceBps: 500,
  maxIncentiveBps: 20_000,
  tiers: {
    powerW: [0, 3_000, 10_000],
    sessionIntervals: [0, 240, 480],
    bps: [
      [10_000, 10_250, 10_500],
      [10_500, 11_000, 11_500],
      [11_000, 12_000, 13_000],
    ],
  },
  thermal: [
    { fromC: 0, bps: 10_000 },
    { fromC: 45, bps: 9_500 },
    { fromC: 52, bps: 8_500 },
    { fromC: 60, bps: 0 },
  ],
})

/** Contracts of five kinds, in turn: 100 % to 120 % of the tariff. */
export function incentiveBpsOf(car: number): number {
  return 10_000 + 500 * (car % 5)
}

/** A battery warms by 4 °C a quarter of an hour of discharging without a pause, up to 56 °C. */
export function temperatureC(quartersBefore: number): number {
  return Math.min(56, 28 + 4 * quartersBefore)
}

/** The least drop of charge, 0.01 %, that explains `energyWh`. Rounds up. */
export function socDropFor(energyWh: number, capacityWh: number): number {
  return Math.ceil((energyWh * 10_000) / capacityWh)
}
