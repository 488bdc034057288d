import { readU48, writeU48 } from './bigEndian.ts'

/** Unsigned money below 2^96 as two 48-bit halves: exact like a bigint, without allocating one a record. */
export interface WideSum {
  hi: number
  lo: number
}

const HALF = 2 ** 48

/** `wide + amount`, `amount` < 2^52, into `into`. */
export function addAmount(wide: WideSum, amount: number, into: WideSum): void {
  const lo = wide.lo + amount
  into.hi = wide.hi + Math.floor(lo / HALF)
  into.lo = lo % HALF
}

export function exceeds(a: WideSum, b: WideSum): boolean {
  return a.hi > b.hi || (a.hi === b.hi && a.lo > b.lo)
}

export function toWideSum(value: bigint): WideSum {
  return { hi: Number(value >> 48n), lo: Number(value & 0xffff_ffff_ffffn) }
}

export function fromWideSum(wide: WideSum): bigint {
  return (BigInt(wide.hi) << 48n) | BigInt(wide.lo)
}

/** 12 big-endian bytes. */
export function writeWideSum(bytes: Uint8Array, at: number, wide: WideSum): void {
  writeU48(bytes, at, wide.hi)
  writeU48(bytes, at + 6, wide.lo)
}

export function readWideSum(bytes: Uint8Array, at: number, into: WideSum): void {
  into.hi = readU48(bytes, at)
  into.lo = readU48(bytes, at + 6)
}
