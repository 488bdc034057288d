import { PERIOD_SECONDS } from '../../../protocol/limits.ts'
import type { PriceInterval, Span } from './gridEvent.ts'
import { divideFloor } from './price.ts'

export interface PeriodPrice {
  readonly attoPerWh: bigint
  readonly opensGate: boolean
}

/**
 * The price of one settlement period: the average over time of the intervals in it, rounded down once. Undefined when they leave a
 * second of it uncovered: a gap is no price. Overlapping intervals are the source's fault and give no price either.
 */
export function periodPrice(intervals: readonly PriceInterval[], period: number): PeriodPrice | undefined {
  const start = period * PERIOD_SECONDS
  const end = start + PERIOD_SECONDS
  let covered = start
  let weighted = 0n
  let opensGate = true
  for (const interval of intervals) {
    if (interval.end <= start) continue
    if (interval.start >= end) break
    const from = Math.max(interval.start, start)
    if (from !== covered) return undefined
    covered = Math.min(interval.end, end)
    weighted += interval.attoPerWh * BigInt(covered - from)
    opensGate &&= interval.opensGate
  }
  if (covered !== end) return undefined
  return { attoPerWh: divideFloor(weighted, BigInt(PERIOD_SECONDS)), opensGate }
}

/** How much of the period the spans cover, seconds; spans may overlap. */
export function coveredSeconds(spans: readonly Span[], period: number): number {
  const start = period * PERIOD_SECONDS
  const end = start + PERIOD_SECONDS
  const inside = spans
    .map((span) => ({ start: Math.max(span.start, start), end: Math.min(span.end, end) }))
    .filter((span) => span.end > span.start)
    .sort((a, b) => a.start - b.start)
  let total = 0
  let reached = start
  for (const span of inside) {
    const from = Math.max(span.start, reached)
    if (span.end > from) total += span.end - from
    reached = Math.max(reached, span.end)
  }
  return total
}
