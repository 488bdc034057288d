import { floorScaled } from './decimal.ts'
import type { Reading } from './reading.ts'

const REGISTER = 'Energy.Active.Export.Register'
const INTERVAL = 'Energy.Active.Export.Interval'

/** Where the EVSE's own meter may sit, in the order in which it is looked for. `EV` and `Cable` are others' meters. */
const LOCATIONS = ['Outlet', 'Body', 'Inlet']
const PHASES = ['L1', 'L2', 'L3']
const PHASES_TO_NEUTRAL = ['L1-N', 'L2-N', 'L3-N']

/** 10^-3 Wh from the unit. Another unit is not energy, or not of the standard. */
const UNIT_SCALE: Readonly<Record<string, number>> = { Wh: 3, kWh: 6 }

/** A record's register has 40 bits of Wh: a larger one was never metered. */
const MAX_MILLI_WH = (2 ** 40 - 1) * 1_000

/** Which meter: `Outlet:total`, `Body:L1+L2+L3`. A transaction keeps the first it used, since another register would be a jump. */
export type MeterSource = string

export type ExportEnergy =
  | { readonly kind: 'READ'; readonly milliWh: number; readonly source: MeterSource }
  /** Nothing about exported energy is in the group, or nothing of this source. */
  | { readonly kind: 'NONE' }
  /** Said, but not to be believed. */
  | { readonly kind: 'BAD'; readonly message: string }

/** The export register among readings of one moment; `source`: what the transaction used before. */
export function exportRegister(readings: readonly Reading[], source: MeterSource | undefined): ExportEnergy {
  return choose(
    readings.filter(({ measurand }) => measurand === REGISTER),
    source,
  )
}

/**
 * Energy since the reading before, where there is no register. Only periodic readings and the last one count: aligned intervals cover the
 * same energy again.
 */
export function exportInterval(readings: readonly Reading[], source: MeterSource | undefined): ExportEnergy {
  const counted = readings.filter(
    ({ measurand, context }) =>
      measurand === INTERVAL && (context === 'Sample.Periodic' || context === 'Transaction.End'),
  )
  return choose(counted, source)
}

function choose(readings: readonly Reading[], pinned: MeterSource | undefined): ExportEnergy {
  if (readings.length === 0) return { kind: 'NONE' }
  for (const location of LOCATIONS) {
    const here = readings.filter((reading) => reading.location === location && reading.value !== undefined)
    const found = total(here, location) ?? sumOfPhases(here, location)
    if (found === undefined) continue
    if (pinned === undefined || found.kind === 'BAD' || found.kind === 'NONE' || found.source === pinned) return found
    // The total is there, but the transaction counts by phases.
    const phases = sumOfPhases(here, location)
    if (phases?.kind === 'READ' && phases.source === pinned) return phases
  }
  return { kind: 'NONE' }
}

function total(readings: readonly Reading[], location: string): ExportEnergy | undefined {
  const whole = readings.filter(({ phase }) => phase === undefined)
  if (whole.length === 0) return undefined
  return single(whole, `${location}:total`)
}

/** OCPP 2.0.1 part 2, 2.28: without a total, it is the sum of the phases. */
function sumOfPhases(readings: readonly Reading[], location: string): ExportEnergy | undefined {
  for (const names of [PHASES, PHASES_TO_NEUTRAL]) {
    const present = names.filter((name) => readings.some(({ phase }) => phase === name))
    if (present.length === 0) continue
    let milliWh = 0
    for (const name of present) {
      const one = single(
        readings.filter(({ phase }) => phase === name),
        name,
      )
      if (one.kind !== 'READ') return one
      milliWh += one.milliWh
    }
    return { kind: 'READ', milliWh, source: `${location}:${present.join('+')}` }
  }
  return undefined
}

/** The same register may be there twice, read for two reasons; a message about the end may repeat how it began. */
function single(readings: readonly Reading[], source: MeterSource): ExportEnergy {
  const later = readings.filter(({ context }) => context !== 'Transaction.Begin')
  let milliWh: number | undefined
  for (const reading of later.length > 0 ? later : readings) {
    const scale = UNIT_SCALE[reading.unit ?? 'Wh']
    if (scale === undefined) return { kind: 'BAD', message: `unit ${reading.unit} is no unit of energy` }
    const value = floorScaled(reading.value!, scale + reading.multiplier)
    if (value === undefined || value < 0 || value > MAX_MILLI_WH)
      return { kind: 'BAD', message: `export of ${reading.value} is not possible` }
    if (milliWh !== undefined && milliWh !== value) {
      return { kind: 'BAD', message: 'two different export readings of one moment' }
    }
    milliWh = value
  }
  return { kind: 'READ', milliWh: milliWh!, source }
}
