import { PERIOD_SECONDS } from '../../protocol/limits.ts'
import type { AlignedSession } from './calendar.ts'

/** How much a car may give back during a stay, and how fast. */
export interface DischargeRule {
  /** Of the charger. */
  readonly ratedW: number
  /** Part of what the car took during the stay that it may give back. */
  readonly shareBps: number
  /** Part of its battery that it gives back at most. */
  readonly depthBps: number
  readonly capacityWh: number
}

export interface PlannedPeriod {
  readonly period: number
  readonly energyWh: number
}

/**
 * When a car discharges: **in the dearest periods of its stay**. Only whole 15-minute periods inside the stay count, only those with a
 * positive price, dearest first, the earlier of two equally dear ones first. Each takes what the charger's rated power gives in a
 * period, the last one what is left, until the car has given back its limit: the smaller of its share of what it took and its
 * depth of the battery. In time order. Rounds down to whole watt-hours.
 */
export function planDischarge(
  session: AlignedSession,
  rule: DischargeRule,
  priceNano: (period: number) => number | undefined,
): PlannedPeriod[] {
  const periodWh = Math.floor((rule.ratedW * PERIOD_SECONDS) / 3600)
  let leftWh = Math.min(
    Math.floor((session.takenWh * rule.shareBps) / 10_000),
    Math.floor((rule.capacityWh * rule.depthBps) / 10_000),
  )
  const candidates: { period: number; nano: number }[] = []
  const firstPeriod = Math.ceil(session.startSeconds / PERIOD_SECONDS)
  const endPeriod = Math.floor(session.endSeconds / PERIOD_SECONDS)
  for (let period = firstPeriod; period < endPeriod; period++) {
    const nano = priceNano(period) ?? 0
    if (nano > 0) candidates.push({ period, nano })
  }
  candidates.sort((a, b) => b.nano - a.nano || a.period - b.period)
  const planned: PlannedPeriod[] = []
  for (const { period } of candidates) {
    const energyWh = Math.min(periodWh, leftWh)
    if (energyWh === 0) break
    planned.push({ period, energyWh })
    leftWh -= energyWh
  }
  return planned.sort((a, b) => a.period - b.period)
}
