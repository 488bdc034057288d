import type { Telemetry } from '../../evse/guard/telemetry.ts'
import { floorScaled } from './decimal.ts'
import type { Reading } from './reading.ts'

// Power, voltage, frequency, state of charge and temperature of sampled values and of NotifyEvent.

type Fields = Omit<Telemetry, 'atMs'>
type Measured = { -readonly [Key in keyof Fields]: Fields[Key] }

/** 0.01 %, or undefined when it is not there or impossible. */
export function socBpOf(readings: readonly Reading[]): number | undefined {
  for (const { measurand, value, multiplier } of readings) {
    if (measurand !== 'SoC' || value === undefined) continue
    const socBp = floorScaled(value, 2 + multiplier)
    if (socBp !== undefined && socBp >= 0 && socBp <= 10_000) return socBp
  }
  return undefined
}

/** Hottest, °C (a measurand of OCPP 1.6 only). */
export function tempOf(readings: readonly Reading[]): number | undefined {
  const temps = readings
    .filter(({ measurand }) => measurand === 'Temperature')
    .map((reading) => toCelsius(numberOf(reading), reading.unit))
    .filter((value) => value !== undefined)
  return temps.length === 0 ? undefined : Math.max(...temps)
}

export function measuredOf(readings: readonly Reading[], nominalVoltageV: number): Measured | undefined {
  const here = readings.filter(({ location }) => location !== 'EV')
  const measured: Measured = {}
  const exported = powerOf(here, 'Power.Active.Export')
  const imported = powerOf(here, 'Power.Active.Import')
  if (exported !== undefined || imported !== undefined) measured.powerW = (exported ?? 0) - (imported ?? 0)
  const voltages = here
    .filter(({ measurand, phase }) => measurand === 'Voltage' && !/^L\d-L\d$/.test(phase ?? '') && phase !== 'N')
    .map(numberOf)
    .filter((value) => value !== undefined)
  const worst = furthest(voltages, nominalVoltageV)
  if (worst !== undefined) measured.gridVoltageV = worst
  const frequency = here.find(({ measurand }) => measurand === 'Frequency')
  const frequencyHz = frequency === undefined ? undefined : numberOf(frequency)
  if (frequencyHz !== undefined) measured.gridFrequencyHz = frequencyHz
  const tempC = tempOf(readings)
  if (tempC !== undefined) measured.tempC = tempC
  return Object.keys(measured).length === 0 ? undefined : measured
}

/** W. The total, else the sum of phases. */
function powerOf(readings: readonly Reading[], measurand: string): number | undefined {
  const ours = readings.filter((reading) => reading.measurand === measurand)
  const location = ['Outlet', 'Body', 'Inlet', 'Cable'].find((name) =>
    ours.some((reading) => reading.location === name),
  )
  const here = ours.filter((reading) => reading.location === location)
  const whole = here.find(({ phase }) => phase === undefined)
  if (whole !== undefined) return watts(whole)
  const phases = here.filter(({ phase }) => /^L[123](-N)?$/.test(phase ?? '')).map(watts)
  if (phases.length === 0 || phases.includes(undefined)) return undefined
  return phases.reduce<number>((sum, value) => sum + value!, 0)
}

function watts(reading: Reading): number | undefined {
  const value = numberOf(reading)
  if (value === undefined) return undefined
  if (reading.unit === undefined || reading.unit === 'W') return value
  return reading.unit === 'kW' ? value * 1_000 : undefined
}

function numberOf({ value, multiplier }: Reading): number | undefined {
  const number = Number(value?.trim() || Number.NaN) * 10 ** multiplier
  return Number.isFinite(number) ? number : undefined
}

function furthest(values: readonly number[], from: number): number | undefined {
  let worst: number | undefined
  for (const value of values) if (worst === undefined || Math.abs(value - from) > Math.abs(worst - from)) worst = value
  return worst
}

/** OCPP 1.6 spells it `Celcius` in its first edition. */
function toCelsius(value: number | undefined, unit: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (unit === 'Fahrenheit') return ((value - 32) * 5) / 9
  return unit === 'K' ? value - 273.15 : value
}

/** OCPP 2.0.1 EventDataType, as far as it is looked at. */
export interface EventData {
  readonly timestamp: string
  readonly actualValue: string
  readonly trigger: string
  readonly cleared?: boolean
  readonly techCode?: string
  readonly techInfo?: string
  readonly component: { readonly name: string; readonly evse?: { readonly id: number } }
  readonly variable: { readonly name: string; readonly instance?: string }
}

/** What an event says about the hardware; undefined: nothing that the fail-safe knows. */
export function measuredOfEvent(event: EventData, snrVariables: readonly string[]): Measured | undefined {
  const name = event.variable.name.toLowerCase()
  if (event.component.name.toLowerCase() === 'powercontactor' && name === 'active') {
    return { contactorClosed: event.actualValue.trim().toLowerCase() === 'true' }
  }
  const value = Number(event.actualValue.trim() || Number.NaN)
  if (!Number.isFinite(value)) return undefined
  if (name === 'temperature') return { tempC: value }
  if (snrVariables.some((variable) => variable.toLowerCase() === name)) return { plcSnrDb: value }
  return undefined
}
