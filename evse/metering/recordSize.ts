import { INTERVAL_SECONDS, MAX_ENERGY_WH, PERIOD_INTERVALS, POWER_TOLERANCE_BPS } from '../../protocol/limits.ts'

export const INTERVAL_MS = INTERVAL_SECONDS * 1_000

export const intervalFloor = (ms: number): number => Math.floor(ms / INTERVAL_MS)
export const intervalCeil = (ms: number): number => Math.ceil(ms / INTERVAL_MS)

/** End of the settlement period that interval `interval` lies in. */
export const periodEnd = (interval: number): number => (Math.floor(interval / PERIOD_INTERVALS) + 1) * PERIOD_INTERVALS

/** The most that settlement allows in so many intervals (docs/protocol.md §5, checks 3 and 6), watt-hours, rounded down. */
export function maxRecordWh(ratedW: number, intervals: number): number {
  return Math.min(MAX_ENERGY_WH - 1, Math.floor((ratedW * POWER_TOLERANCE_BPS * intervals) / (240 * 10_000)))
}

/** The configured length, in intervals, made shorter where a record at full power would hold more than its field. */
export function recordIntervalsOf(recordSeconds: number, ratedW: number): number {
  const wanted = recordSeconds / INTERVAL_SECONDS
  const fits = (intervals: number): boolean => (ratedW * POWER_TOLERANCE_BPS * intervals) / 2_400_000 < MAX_ENERGY_WH
  const divisors = [60, 30, 20, 15, 12, 10, 6, 5, 4, 3, 2, 1]
  return divisors.find((intervals) => intervals <= wanted && fits(intervals)) ?? 1
}
