import { MAX_TEMP_C } from '../../protocol/limits.ts'
import { INTERVAL_MS } from './recordSize.ts'

/** What a record says when nobody measured. */
export const UNKNOWN_TEMP_C = 255
/** Spans kept for a fold that lags behind: a day of 15-minute records five times over. Beyond, the oldest two become one, the hotter counting. */
const MAX_BUCKETS = 512

/** Hottest readings by stretches of one record's length. */
export interface TemperatureBucket {
  /** First interval: a multiple of the record's length. */
  readonly from: number
  readonly hottestC: number
  readonly lastAtMs: number
  readonly lastC: number
}

export interface Temperatures {
  readonly buckets: readonly TemperatureBucket[]
  /** The last reading before all buckets. */
  readonly before: { readonly atMs: number; readonly tempC: number } | undefined
}

export const NO_TEMPERATURES: Temperatures = { buckets: [], before: undefined }

/** Returns the same object when the reading changes nothing that a record could say. */
export function noteTemperature(
  temperatures: Temperatures,
  reading: { readonly atMs: number; readonly tempC: number },
  recordIntervals: number,
): Temperatures {
  const interval = Math.floor(reading.atMs / INTERVAL_MS)
  const from = interval - (interval % recordIntervals)
  const old = temperatures.buckets
  const at = old.findIndex((bucket) => bucket.from >= from)
  const same = at >= 0 && old[at]!.from === from ? old[at]! : undefined
  if (same === undefined) {
    const fresh = { from, hottestC: reading.tempC, lastAtMs: reading.atMs, lastC: reading.tempC }
    const buckets = at < 0 ? [...old, fresh] : [...old.slice(0, at), fresh, ...old.slice(at)]
    return { ...temperatures, buckets: bounded(buckets) }
  }
  const isLater = reading.atMs >= same.lastAtMs
  const changed = {
    from,
    hottestC: Math.max(same.hottestC, reading.tempC),
    lastAtMs: Math.max(same.lastAtMs, reading.atMs),
    lastC: isLater ? reading.tempC : same.lastC,
  }
  return { ...temperatures, buckets: old.with(at, changed) }
}

function bounded(buckets: readonly TemperatureBucket[]): readonly TemperatureBucket[] {
  if (buckets.length <= MAX_BUCKETS) return buckets
  const [first, second, ...rest] = buckets as [TemperatureBucket, TemperatureBucket, ...TemperatureBucket[]]
  return [{ ...second, hottestC: Math.max(first.hottestC, second.hottestC) }, ...rest]
}

/**
 * Hottest point of a span, °C, rounded up and never below 0; the reading just before the span counts, since it is what the
 * hardware had when the span began. 255 when there is none within `maxAgeMs`.
 */
export function hottestIn(temperatures: Temperatures, span: { start: number; end: number }, maxAgeMs: number): number {
  let hottest = Number.NEGATIVE_INFINITY
  let before = temperatures.before
  for (const bucket of temperatures.buckets) {
    if (bucket.from >= span.end) break
    // A bucket that the span begins in counts whole.
    hottest = Math.max(hottest, bucket.hottestC)
  }
  if (before !== undefined && span.start * INTERVAL_MS - before.atMs > maxAgeMs) before = undefined
  hottest = Math.max(hottest, before?.tempC ?? Number.NEGATIVE_INFINITY)
  if (hottest === Number.NEGATIVE_INFINITY || hottest > MAX_TEMP_C) return UNKNOWN_TEMP_C
  return Math.max(0, Math.ceil(hottest))
}

/** Forgets what lies wholly before `interval`, but for the last reading of it. */
export function forgetBefore(temperatures: Temperatures, interval: number, recordIntervals: number): Temperatures {
  const kept = temperatures.buckets.filter((bucket) => bucket.from + recordIntervals > interval)
  if (kept.length === temperatures.buckets.length) return temperatures
  const last = temperatures.buckets[temperatures.buckets.length - kept.length - 1]!
  return { buckets: kept, before: { atMs: last.lastAtMs, tempC: last.lastC } }
}
