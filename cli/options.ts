import { InvalidArgumentError } from 'commander'
import { type Address, getAddress, type Hex, hexToBytes, isAddress } from 'viem'
import { PERIOD_SECONDS } from '../protocol/limits.ts'

// Readers of option values. Each says what it wants; commander adds which option it was.

export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(
        `A whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}.`,
      )
    }
    return value
  }
}

export const id = wholeNumber(0, 0xffffffff)

/** `12.5` of the settlement token is 12 500 000 micro; more than six decimals are refused, not rounded. */
export function tokenAmount(text: string): bigint {
  return decimal(text, 6)
}

export function etherAmount(text: string): bigint {
  return decimal(text, 18)
}

function decimal(text: string, places: number): bigint {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text)
  const fraction = match?.[2] ?? ''
  if (match === null || fraction.length > places) {
    throw new InvalidArgumentError(`A decimal number with at most ${places} decimals.`)
  }
  return BigInt(match[1]! + fraction.padEnd(places, '0'))
}

export function address(text: string): Address {
  if (!isAddress(text, { strict: false })) throw new InvalidArgumentError('An address, 0x and 40 hex digits.')
  return getAddress(text)
}

export function hex(bytes: number): (text: string) => Hex {
  return (text) => {
    if (!new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`).test(text)) {
      throw new InvalidArgumentError(`0x and ${2 * bytes} hex digits.`)
    }
    return text as Hex
  }
}

/** A moment in seconds since the epoch: an ISO 8601 time with a zone, to the second. */
export function instant(text: string): number {
  const seconds = Date.parse(text) / 1000
  if (!/(Z|[+-]\d\d:\d\d)$/.test(text) || !Number.isInteger(seconds) || seconds < 0 || seconds >= 0xffffffff) {
    throw new InvalidArgumentError('A time like 2026-09-22T17:15:00Z.')
  }
  return seconds
}

/** Start of a settlement period: an ISO 8601 time with a zone, at a whole quarter of an hour. */
export function periodAt(text: string): number {
  const seconds = Date.parse(text) / 1000
  if (!/(Z|[+-]\d\d:\d\d)$/.test(text) || !Number.isInteger(seconds) || seconds % PERIOD_SECONDS !== 0) {
    throw new InvalidArgumentError('A time like 2026-09-22T17:15:00Z at a whole quarter of an hour.')
  }
  return seconds / PERIOD_SECONDS
}

export function hexBytes(text: string): Uint8Array {
  if (!/^0x([0-9a-fA-F]{2})+$/.test(text)) throw new InvalidArgumentError('0x and hex digits.')
  return hexToBytes(text as Hex)
}
