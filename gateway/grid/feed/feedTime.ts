import type { WallSeconds } from './zonedTime.ts'

/**
 * How a feed writes its times.
 * - `iso`: `2026-07-01T17:00:00Z`, `…-07:00`, or without an offset; a space for the T; seconds may be left out.
 * - `mdy`: `7/1/2026 17:00`, as North American markets do. `dmy`: `1/7/2026 17:00`.
 * - `epoch`: seconds since 1970.
 * Hour 24 is midnight at the end of the day, as hour-ending files write it.
 */
export const TIME_FORMATS = ['iso', 'mdy', 'dmy', 'epoch'] as const
export type TimeFormat = (typeof TIME_FORMATS)[number]

export type FeedTime =
  | { readonly kind: 'instant'; readonly seconds: number }
  | { readonly kind: 'wall'; readonly wall: WallSeconds }

/** Undefined when the text is no such time. */
export function parseFeedTime(text: string, format: TimeFormat): FeedTime | undefined {
  if (format === 'epoch') return /^\d{9,11}$/.test(text) ? { kind: 'instant', seconds: Number(text) } : undefined
  const pattern = format === 'iso' ? ISO : SLASHED
  const match = pattern.exec(text)
  if (match === null) return undefined
  const [a, b, c, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [year, month, day] = format === 'iso' ? [a, b, c] : format === 'mdy' ? [c, a, b] : [c, b, a]
  const wall = wallSeconds(year, month, day, hour, minute, second)
  if (wall === undefined) return undefined
  const offset = match[7]
  if (offset === undefined) return { kind: 'wall', wall }
  const offsetSeconds = parseOffset(offset)
  return offsetSeconds === undefined ? undefined : { kind: 'instant', seconds: wall - offsetSeconds }
}

const ISO = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.0+)?)?(Z|[+-]\d\d:?\d\d)?$/
const SLASHED = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d\d)(?::(\d\d))?$/

function wallSeconds(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): WallSeconds | undefined {
  const date = new Date(Date.UTC(year, month - 1, day))
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  const isEndOfDay = hour === 24 && minute === 0 && second === 0
  if (!exists || (hour > 23 && !isEndOfDay) || minute > 59 || second > 59) return undefined
  return date.getTime() / 1000 + hour * 3600 + minute * 60 + second
}

function parseOffset(text: string): number | undefined {
  if (text === 'Z') return 0
  const [, sign, hours, minutes] = /^([+-])(\d\d):?(\d\d)$/.exec(text) ?? []
  const seconds = Number(hours) * 3600 + Number(minutes) * 60
  if (seconds > 14 * 3600) return undefined
  return sign === '-' ? -seconds : seconds
}
