import { InvalidArgumentError } from 'commander'

const SCALE = 10_000_000

/** `52.5200066` as degrees × 10^7; further decimals are refused, since the place is signed as it is. */
export function degrees(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^-?\d{1,3}(\.\d{1,7})?$/.test(text) || Math.abs(value) > most) {
      throw new InvalidArgumentError(`Degrees from -${most} to ${most} with at most 7 decimals.`)
    }
    return Math.round(value * SCALE)
  }
}
