/**
 * Decimal text times 10^places, rounded down (towards minus infinity), without ever being a float: `0.03331091` with 6 places is 33 310.
 * Undefined when the text is no plain decimal.
 */
export function scaledFloor(text: string, places: number): bigint | undefined {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(text.trim())
  if (match === null) return undefined
  const [, sign, whole = '', fraction = ''] = match
  const kept = fraction.slice(0, places).padEnd(places, '0')
  const magnitude = BigInt(whole + kept)
  if (sign !== '-') return magnitude
  const dropped = /[1-9]/.test(fraction.slice(places))
  return -magnitude - (dropped ? 1n : 0n)
}
