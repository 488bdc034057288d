import { OcmfError, shown } from './ocmfError.ts'

/** Powers of ten from the unit to 10^-3 Wh. Case tells mWh from MWh; for the others it does not matter. */
const EXPONENTS = new Map([
  ['mWh', 0],
  ['Wh', 3],
  ['kWh', 6],
  ['MWh', 9],
])
const ANY_CASE = new Map([
  ['wh', 3],
  ['kwh', 6],
])

/** More digits than any register has. */
const MAX_DIGITS = 40

/**
 * 10^-3 Wh of a decimal as the meter wrote it, rounded down: no float in between. 57.584 kWh is 57 584 000.
 * @throws OcmfError OCMF_UNREADABLE: no decimal, negative, an unknown unit, or above 2^53 − 1
 */
export function floorMilliWh(decimal: string, unit: string): number {
  const exponent = EXPONENTS.get(unit) ?? ANY_CASE.get(unit.toLowerCase())
  if (exponent === undefined) throw unreadable(`unit ${shown(unit)} is no unit of energy`)
  const match = /^\+?([0-9]+)(?:[.,]([0-9]*))?(?:[eE]([+-]?[0-9]{1,3}))?$/.exec(decimal.trim())
  if (match === null || decimal.length > MAX_DIGITS)
    throw unreadable(`reading ${shown(decimal)} is no decimal from 0 on`)
  const [, whole, fraction = '', power = '0'] = match
  const shift = exponent + Number(power) - fraction.length
  if (Math.abs(shift) > MAX_DIGITS) throw unreadable(`reading ${shown(decimal)} is out of range`)
  const digits = BigInt(whole! + fraction)
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : digits / 10n ** BigInt(-shift)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw unreadable(`reading ${shown(decimal)} ${unit} is out of range`)
  return Number(value)
}

function unreadable(message: string): OcmfError {
  return new OcmfError('OCMF_UNREADABLE', message)
}
