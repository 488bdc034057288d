import { MAX_INTERVALS, PERIOD_INTERVALS, PERIOD_SECONDS } from '../../protocol/limits.ts'
import type { Discharge, PriceRun, Scenario, ScenarioStep } from '../scenario.ts'
import { devnetTariff, incentiveBpsOf, socDropFor, temperatureC } from '../terms.ts'
import { type AlignedSession, alignSessions } from './calendar.ts'
import { type DischargeRule, planDischarge } from './dischargePlan.ts'
import { assignEvses } from './evseAssignment.ts'
import type { PriceYear } from './priceFile.ts'
import { type ChargingSession, civilSeconds } from './sessionFile.ts'

export const defaultDischargeRule: DischargeRule = {
  ratedW: 6_600,
  shareBps: 5_000,
  depthBps: 2_500,
  capacityWh: 60_000,
}

const DAY_SECONDS = 86_400
/** Caltech's campus, where most of the published workplace sessions come from; only the signature cares. */
const CAR_PARK = { lat: 341_380_000, lon: -1_181_250_000 }

export interface ReplayDays {
  /** First day of the price year that is played, 0 = 1 January. */
  readonly firstDay: number
  /** Days played from there on. */
  readonly dayCount: number
}

/**
 * Real stays on real prices as a scenario: a step a day. The file names neither cars nor owners, so every session is a car of its
 * own with an owner of its own, in the order of arrival. A session belongs to the days played when it arrives in them.
 */
export function replayScenario(
  files: { sessions: readonly ChargingSession[]; prices: PriceYear },
  options: { rule: DischargeRule; days?: ReplayDays },
): Scenario {
  const { prices } = files
  const yearStart = civilSeconds({ year: prices.year, month: 1, day: 1, secondOfDay: 0 })
  const yearDays = (civilSeconds({ year: prices.year + 1, month: 1, day: 1, secondOfDay: 0 }) - yearStart) / DAY_SECONDS
  const days = options.days ?? { firstDay: 0, dayCount: yearDays }
  const startSeconds = yearStart + days.firstDay * DAY_SECONDS
  const endSeconds = startSeconds + Math.min(days.dayCount, yearDays - days.firstDay) * DAY_SECONDS
  const sessions = alignSessions(files.sessions, prices.year).filter(
    (session) => session.startSeconds >= startSeconds && session.startSeconds < endSeconds,
  )
  const evses = assignEvses(sessions)
  const discharges = sessions.flatMap((session, car) =>
    sessionDischarges(session, { car, evse: evses[car]!, rule: options.rule, prices }),
  )
  return {
    title: `${sessions.length} sessions at ${Math.max(0, ...evses.map((evse) => evse + 1))} chargers on the prices of ${prices.year}`,
    startSeconds,
    evses: Array.from({ length: Math.max(1, ...evses.map((evse) => evse + 1)) }, (_, index) => ({
      ratedW: options.rule.ratedW,
      lat: CAR_PARK.lat + 100 * index,
      lon: CAR_PARK.lon,
      radiusM: 50,
    })),
    cars: sessions.map((_, car) => ({ incentiveBps: incentiveBpsOf(car), capacityWh: options.rule.capacityWh })),
    tariff: devnetTariff,
    prices: dailyPrices(prices, startSeconds, endSeconds),
    steps: dailySteps(discharges, startSeconds, endSeconds),
  }
}

function sessionDischarges(
  session: AlignedSession,
  context: { car: number; evse: number; rule: DischargeRule; prices: PriceYear },
): Discharge[] {
  const { car, evse, rule, prices } = context
  const planned = planDischarge(session, rule, (period) => prices.nanoByPeriod.get(period))
  let quartersBefore = 0
  return planned.map(({ period, energyWh }, index) => {
    quartersBefore = index > 0 && planned[index - 1]!.period === period - 1 ? quartersBefore + 1 : 0
    return {
      evse,
      contract: car,
      start: period * PERIOD_INTERVALS,
      intervals: MAX_INTERVALS,
      energyWh,
      socDrop: socDropFor(energyWh, rule.capacityWh),
      tempC: temperatureC(quartersBefore),
    }
  })
}

function dailyPrices(prices: PriceYear, fromSeconds: number, toSeconds: number): PriceRun[] {
  const runs: PriceRun[] = []
  // One day more: a car that arrived on the last day may still be there.
  for (let day = fromSeconds; day <= toSeconds; day += DAY_SECONDS) {
    const firstPeriod = day / PERIOD_SECONDS
    const nano = Array.from(
      { length: DAY_SECONDS / PERIOD_SECONDS },
      (_, i) => prices.nanoByPeriod.get(firstPeriod + i) ?? 0,
    )
    runs.push({ firstPeriod, nano })
  }
  return runs
}

function dailySteps(discharges: readonly Discharge[], fromSeconds: number, toSeconds: number): ScenarioStep[] {
  const byDay = new Map<number, Discharge[]>()
  for (const discharge of discharges) {
    const lastSecond = ((discharge.start + discharge.intervals) * PERIOD_SECONDS) / PERIOD_INTERVALS - 1
    const day = lastSecond - (lastSecond % DAY_SECONDS)
    const list = byDay.get(day)
    if (list === undefined) byDay.set(day, [discharge])
    else list.push(discharge)
  }
  const lastDay = Math.max(toSeconds - DAY_SECONDS, ...byDay.keys())
  const steps: ScenarioStep[] = []
  for (let day = fromSeconds; day <= lastDay; day += DAY_SECONDS) {
    const ofDay = byDay.get(day) ?? []
    steps.push({
      label: new Date(day * 1000).toISOString().slice(0, 10),
      untilSeconds: day + DAY_SECONDS,
      discharges: ofDay.sort((a, b) => a.start - b.start || a.evse - b.evse),
    })
  }
  return steps
}
