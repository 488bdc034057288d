import { MAX_PRICE_NANO } from '../../../protocol/limits.ts'
import { scaledFloor } from '../../../runtime/decimal.ts'

/**
 * A price before it is rounded: 10^-18 of the settlement token per watt-hour, exact for every source here ($/kWh with 15 decimals).
 * May be negative. The token is taken to be the source's currency, one to one.
 */
export type AttoPerWh = bigint

/** What a price is for. `kWh`: $/kWh. */
export const PRICE_UNITS = ['kWh', 'MWh', 'Wh'] as const
export type PriceUnit = (typeof PRICE_UNITS)[number]

const ATTO_PLACES: Readonly<Record<PriceUnit, number>> = { Wh: 18, kWh: 15, MWh: 12 }
const ATTO_PER_NANO = 1_000_000_000n

/** Decimal text, rounded down where it has more places than an atto-price holds. Undefined: no plain decimal. */
export function parsePriceFloor(text: string, unit: PriceUnit): AttoPerWh | undefined {
  return scaledFloor(text, ATTO_PLACES[unit])
}

/**
 * The price as L1 holds it (docs/protocol.md §5): 10^-9 token per Wh, rounded down, and 0, which is "no event", for a price that
 * is negative or rounds to nothing. Undefined when the protocol has no room for so high a price: it is then no price, since a
 * capped one would be a guess.
 */
export function nanoFloor(price: AttoPerWh): number | undefined {
  if (price <= 0n) return 0
  const nano = price / ATTO_PER_NANO
  return nano < BigInt(MAX_PRICE_NANO) ? Number(nano) : undefined
}

/** `value` × 10^`exponent` token per Wh, rounded down. Undefined when the exponent is beyond any price (|exponent| > 40). */
export function scaledPriceFloor(value: number, exponent: number): AttoPerWh | undefined {
  if (Math.abs(exponent) > 40) return undefined
  const places = exponent + 18
  if (places >= 0) return BigInt(value) * 10n ** BigInt(places)
  return divideFloor(BigInt(value), 10n ** BigInt(-places))
}

export function divideFloor(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor
  return dividend < 0n && quotient * divisor !== dividend ? quotient - 1n : quotient
}
