import { OcmfError, shown } from './ocmfError.ts'
import type { MeterClock } from './signedValue.ts'

export interface MeterTime {
  readonly atMs: number
  readonly clock: MeterClock
}

/** OCMF's first version is of 2018: a clock that says an earlier year was never set. */
const FIRST_PLAUSIBLE_MS = Date.UTC(2017, 0, 1)

const CLOCKS: Readonly<Record<string, MeterClock>> = {
  S: 'SYNCHRONISED',
  I: 'INFORMATIVE',
  R: 'RELATIVE',
  U: 'NOT_SET',
}

/**
 * Reads TM: 2018-07-24T13:22:04,000+0200 S. Point or comma, +02:00, +02 or Z, fractions of any length, a letter or none (then the clock is not set).
 * @throws OcmfError OCMF_UNREADABLE
 */
export function parseMeterTime(text: string): MeterTime {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s*(Z|[+-]\d\d(?::?\d\d)?)\s*([A-Z])?$/i.exec(
      text.trim(),
    )
  if (match === null) throw unreadable(text)
  const [, year, month, day, hour, minute, second, fraction = '', zone, letter = 'U'] = match
  const parts = [year, month, day, hour, minute, second].map(Number) as [number, number, number, number, number, number]
  const [y, mo, d, h, mi, s] = parts
  const localMs = Date.UTC(y, mo - 1, d, h, mi, Math.min(s, 59))
  const check = new Date(localMs)
  // A date that does not exist would silently become another; a leap second is the second before it.
  if (check.getUTCMonth() !== mo - 1 || check.getUTCDate() !== d || h > 23 || mi > 59 || s > 60) throw unreadable(text)
  const atMs = localMs + Number(fraction.padEnd(3, '0').slice(0, 3)) - zoneMs(zone!)
  const clock = CLOCKS[letter.toUpperCase()]
  if (clock === undefined || !Number.isSafeInteger(atMs)) throw unreadable(text)
  return { atMs: Math.max(atMs, 0), clock: atMs < FIRST_PLAUSIBLE_MS ? 'NOT_SET' : clock }
}

function zoneMs(zone: string): number {
  if (zone.toUpperCase() === 'Z') return 0
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0')
  const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000
}

function unreadable(text: string): OcmfError {
  return new OcmfError('OCMF_UNREADABLE', `time ${shown(text)} is none of OCMF’s`)
}
