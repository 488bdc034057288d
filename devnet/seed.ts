import { createHash } from 'node:crypto'

/** 32 bytes that depend on nothing but their name: keys and choices of a seeded fleet, the same on every machine. */
export function seededBytes(seed: string, what: string, index: number): Uint8Array {
  return createHash('sha256').update(`backfeed/devnet/${seed}/${what}/${index}`).digest()
}

/** A whole number in [least, least + count), from 48 bits: the bias is below 2^-20 for the counts used here. */
export function seededInt(seed: string, what: string, index: number, range: { least: number; count: number }): number {
  const bytes = Buffer.from(seededBytes(seed, what, index))
  return range.least + (bytes.readUIntBE(0, 6) % range.count)
}
