import { floorMilliWh } from './energy.ts'
import { isObject, type Json, textOf } from './exactJson.ts'
import { MAX_READINGS } from './limits.ts'
import { parseMeterTime } from './meterTime.ts'
import { classifyRegister, isSumRegister } from './obis.ts'
import { OcmfError } from './ocmfError.ts'
import type { Pagination, ReadingMoment, SignedReading } from './signedValue.ts'

/** What the payload says of export, before its signature is looked at. */
export interface OcmfContent {
  readonly readings: readonly SignedReading[]
  readonly otherReadings: readonly SignedReading[]
  readonly serial: string | undefined
  readonly pagination: Pagination | undefined
  readonly identification: string | undefined
}

const MOMENTS: Readonly<Record<string, ReadingMoment>> = {
  B: 'BEGIN',
  C: 'CHARGING',
  X: 'EXCEPTION',
  E: 'END',
  L: 'ENDED_LOCALLY',
  R: 'ENDED_REMOTELY',
  A: 'ABORTED',
  P: 'POWER_FAILURE',
  S: 'SUSPENDED',
  T: 'TARIFF_CHANGE',
}

/** Fields that a reading has from the one before it where it has none (OCMF, Readings). RV is each reading's own. */
const INHERITED = ['TM', 'TX', 'RI', 'RU', 'EF', 'ST'] as const
type Inherited = (typeof INHERITED)[number]

const METER_STATES: Readonly<Record<string, string>> = {
  N: 'the meter is not present',
  T: 'the meter timed out',
  D: 'the meter was disconnected',
  R: 'the meter was removed',
  M: 'manipulation was detected',
  X: 'the meter was exchanged',
  I: 'the meter is incompatible',
  O: 'the reading is out of range',
  S: 'the reading is a substitute',
  E: 'the meter has an error',
  F: 'the register was not read',
}

/** @throws OcmfError OCMF_UNREADABLE, OCMF_NOT_EXPORT, OCMF_METER_ERROR */
export function exportReadings(fields: { readonly [key: string]: Json }): OcmfContent {
  const list = Object.hasOwn(fields, 'RD') ? fields.RD : undefined
  if (!Array.isArray(list) || list.length === 0) throw unreadable('there are no readings (RD)')
  if (list.length > MAX_READINGS) throw unreadable(`${list.length} readings are too many`)
  const total: SignedReading[] = []
  const otherReadings: SignedReading[] = []
  const seen = new Set<string>()
  let before: Readonly<Record<Inherited, string | undefined>> = {
    TM: undefined,
    TX: undefined,
    RI: undefined,
    RU: undefined,
    EF: undefined,
    ST: undefined,
  }
  for (const entry of list) {
    if (!isObject(entry)) throw unreadable('a reading is no object')
    before = inherit(entry, before)
    const value = textOf(entry, 'RV')
    // An entry without a value tells of an event. An index without a code could be anything.
    if (value === undefined || before.RI === undefined) continue
    const register = classifyRegister(before.RI)
    seen.add(register.name)
    if (register.kind === 'NONE') continue
    const reading = readingOf(before, value, register.name)
    if (register.kind === 'TOTAL') total.push(reading)
    else otherReadings.push(reading)
  }
  const readings = oneRegister(total)
  if (readings.length === 0) {
    const names = [...seen].slice(0, 8).join(', ')
    const partial = otherReadings.length > 0 ? ', and export only of one transaction or at the vehicle’s side' : ''
    throw new OcmfError(
      'OCMF_NOT_EXPORT',
      `it holds no total export register: ${names === '' ? 'none' : names}${partial}`,
    )
  }
  return {
    readings,
    otherReadings,
    serial: textOf(fields, 'MS') ?? textOf(fields, 'GS'),
    pagination: paginationOf(textOf(fields, 'PG')),
    identification: textOf(fields, 'ID'),
  }
}

function inherit(
  entry: { readonly [key: string]: Json },
  before: Readonly<Record<Inherited, string | undefined>>,
): Record<Inherited, string | undefined> {
  const now = { ...before }
  // An empty EF is a statement of its own: no error any more.
  for (const key of INHERITED) if (Object.hasOwn(entry, key)) now[key] = textOf(entry, key)
  return now
}

function readingOf(
  { TM, TX, RU, EF = '', ST }: Readonly<Record<Inherited, string | undefined>>,
  value: string,
  register: string,
): SignedReading {
  const state = ST?.toUpperCase()
  if (state !== undefined && state !== 'G')
    throw ill(METER_STATES[state] ?? `the meter says state ${state.slice(0, 8)}`)
  if (EF.includes('E')) throw ill('the meter flags its energy as not usable (EF)')
  if (TX?.toUpperCase() === 'X')
    throw ill('the meter flags an exception: its readings are not usable from there on (TX)')
  if (TM === undefined) throw unreadable('a reading has no time (TM)')
  if (RU === undefined) throw unreadable('a reading has no unit (RU)')
  const time = parseMeterTime(TM)
  const clock = /t/i.test(EF) ? 'NOT_SET' : time.clock
  return {
    exportMilliWh: floorMilliWh(value, RU),
    atMs: time.atMs,
    synchronised: clock === 'SYNCHRONISED',
    clock,
    moment: TX === undefined ? undefined : MOMENTS[TX.toUpperCase()],
    register,
  }
}

/** Sums before tariffs, and never two registers: going from one to the other would look like energy. */
function oneRegister(total: readonly SignedReading[]): readonly SignedReading[] {
  const names = new Set(total.map(({ register }) => register))
  if (names.size <= 1) return total
  const sum = [...names].find(isSumRegister)
  return sum === undefined ? [] : total.filter(({ register }) => register === sum)
}

function paginationOf(text: string | undefined): Pagination | undefined {
  const match = /^([TF])\s*([0-9]{1,15})$/i.exec(text ?? '')
  if (match === null) return undefined
  return { kind: match[1]!.toUpperCase() as 'T' | 'F', number: Number(match[2]) }
}

function unreadable(message: string): OcmfError {
  return new OcmfError('OCMF_UNREADABLE', message)
}

function ill(message: string): OcmfError {
  return new OcmfError('OCMF_METER_ERROR', message)
}
