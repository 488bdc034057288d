import type { Span } from '../model/gridEvent.ts'
import { MAX_VTN_INTERVALS } from '../limits.ts'
import { parseDuration, parseInstant } from './duration.ts'
import type { IntervalPeriod, VtnEvent, VtnInterval } from './schema.ts'

export interface TimedInterval extends Span {
  readonly interval: VtnInterval
}

export interface Timeline {
  readonly intervals: readonly TimedInterval[]
  /** Of the event as a whole, seconds; 0: none. */
  readonly randomizeStartSeconds: number
}

/** Year 1 stands for "now": of an event, the time at which it was made. */
const NOW_START = /^0001-01-01/

/**
 * When an event's intervals are. An interval has its own period, or follows the one before it by the event's duration, the first
 * from the event's start. An event whose own duration (3.1) is longer than its intervals repeats them. Only what touches `window`
 * is laid out. A text says what cannot be understood.
 */
export function timelineOf(
  event: VtnEvent,
  programPeriod: IntervalPeriod | null | undefined,
  window: Span,
): Timeline | string {
  const period = event.intervalPeriod ?? programPeriod ?? {}
  const start = startOf(period.start, event)
  const each = durationOf(period.duration)
  const randomize = durationOf(period.randomizeStart)
  const total = durationOf(event.duration)
  if (start === 'bad') return `start "${period.start}" is no time with an offset`
  if (each === 'bad' || randomize === 'bad' || total === 'bad') return 'a duration is not understood'
  const once = layOut(event, start, each)
  if (typeof once === 'string') return once
  const randomizeStartSeconds = randomize === undefined || !Number.isFinite(randomize) ? 0 : Math.min(randomize, 3_600)
  const first = once[0]
  if (first === undefined) return { intervals: [], randomizeStartSeconds }
  const from = Math.min(...once.map((interval) => interval.start))
  const cycle = Math.max(...once.map((interval) => interval.end)) - from
  const until = total === undefined ? from + cycle : from + total
  if (!(cycle > 0) || !Number.isFinite(cycle) || until <= from + cycle) {
    return { intervals: once.filter((interval) => touches(interval, window)), randomizeStartSeconds }
  }
  const intervals: TimedInterval[] = []
  const skipped = Math.max(0, Math.floor((window.start - from) / cycle))
  for (let turn = skipped; from + turn * cycle < Math.min(until, window.end); turn++) {
    for (const { interval, start, end } of once) {
      const moved = { interval, start: start + turn * cycle, end: Math.min(end + turn * cycle, until) }
      if (moved.start < until && touches(moved, window)) intervals.push(moved)
    }
    if (intervals.length > MAX_VTN_INTERVALS) return `more than ${MAX_VTN_INTERVALS} intervals`
  }
  return { intervals, randomizeStartSeconds }
}

function layOut(event: VtnEvent, start: number | undefined, each: number | undefined): TimedInterval[] | string {
  const laid: TimedInterval[] = []
  let next = start
  for (const interval of event.intervals) {
    const own = interval.intervalPeriod
    const ownStart = startOf(own?.start, event)
    const ownDuration = durationOf(own?.duration)
    if (ownStart === 'bad' || ownDuration === 'bad') return `the period of interval ${interval.id} is not understood`
    const begins = ownStart ?? next
    const lasts = ownDuration ?? each
    if (begins === undefined || lasts === undefined) return `interval ${interval.id} has no start or no duration`
    next = begins + lasts
    laid.push({ interval, start: begins, end: next })
  }
  return laid
}

function startOf(text: string | null | undefined, event: VtnEvent): number | undefined | 'bad' {
  if (text === null || text === undefined) return undefined
  const stands = NOW_START.test(text) ? (event.createdDateTime ?? '') : text
  return parseInstant(stands) ?? 'bad'
}

function durationOf(text: string | null | undefined): number | undefined | 'bad' {
  if (text === null || text === undefined) return undefined
  return parseDuration(text) ?? 'bad'
}

function touches(span: Span, window: Span): boolean {
  return span.start < window.end && span.end > window.start
}
