const DECIMAL = /^([+-]?)(\d{1,40})(?:\.(\d{0,40}))?(?:[eE]([+-]?\d{1,3}))?$/
const MAX_EXPONENT = 60

/**
 * ⌊text × 10^scale⌋, exactly; undefined when `text` is no decimal number or the result is not a safe integer.
 *
 * OCPP 2 sends JSON numbers, which have been doubles by the time they are read here: `String(number)` is the shortest decimal that
 * means the same double, so whatever the station wrote with up to 15 significant digits comes back as written. That is a register of
 * 999 GWh in 10^-3 Wh.
 */
export function floorScaled(text: string, scale: number): number | undefined {
  const match = DECIMAL.exec(text.trim())
  if (match === null) return undefined
  const [, sign, whole, fraction = '', exponent = '0'] = match
  const shift = scale - fraction.length + Number(exponent)
  if (Math.abs(shift) > MAX_EXPONENT) return undefined
  const digits = BigInt(whole! + fraction) * (sign === '-' ? -1n : 1n)
  const scaled = shift >= 0 ? digits * 10n ** BigInt(shift) : floorDivide(digits, 10n ** BigInt(-shift))
  const result = Number(scaled)
  return Number.isSafeInteger(result) ? result : undefined
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor
  return value < 0n && quotient * divisor !== value ? quotient - 1n : quotient
}
