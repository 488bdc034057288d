import type { GuardRules } from './guardConfig.ts'

/** 0: as much as is rated; 1 … steps: cooling off; steps + 1: too hot, nothing. */
export type ThermalLevel = number

/**
 * The level after a temperature. A level is entered above its own temperature and left only once it is cooler by the hysteresis, so that a
 * temperature that hovers at a limit does not switch.
 */
export function thermalLevel(thermal: GuardRules['thermal'], before: ThermalLevel, tempC: number): ThermalLevel {
  const hottest = thermal.steps.length + 1
  for (let level = hottest; level > 0; level--) {
    const aboveC = level === hottest ? thermal.maxC : thermal.steps[level - 1]!.aboveC
    const hysteresisC = level === hottest ? thermal.hysteresisC : thermal.stepHysteresisC
    if (tempC > aboveC || (level <= before && tempC > aboveC - hysteresisC)) return level
  }
  return 0
}

export function isTooHot(thermal: GuardRules['thermal'], level: ThermalLevel): boolean {
  return level > thermal.steps.length
}

/** Share of rated power that a level leaves. */
export function thermalShare(thermal: GuardRules['thermal'], level: ThermalLevel): number {
  if (level === 0) return 1
  return isTooHot(thermal, level) ? 0 : thermal.steps[level - 1]!.share
}
