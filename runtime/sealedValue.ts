import { createHash } from 'node:crypto'

// A value on disk: the first 16 bytes of SHA-256(key ‖ 0 ‖ value) | value. The key is in it, so that a value that damage moved to another key is
// noticed as well; keys hold no zero.

const CHECKSUM_BYTES = 16

export function sealValue(key: string, value: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(CHECKSUM_BYTES + value.length)
  sealed.set(checksum(key, value))
  sealed.set(value, CHECKSUM_BYTES)
  return sealed
}

/** Undefined unless it is what was sealed under this key. */
export function openValue(key: string, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < CHECKSUM_BYTES) return undefined
  // A copy, and a plain array: `level` gives Buffers, whose `slice` is a view.
  const value = new Uint8Array(sealed.subarray(CHECKSUM_BYTES))
  return Buffer.compare(checksum(key, value), sealed.subarray(0, CHECKSUM_BYTES)) === 0 ? value : undefined
}

function checksum(key: string, value: Uint8Array): Uint8Array {
  return createHash('sha256').update(key).update('\0').update(value).digest().subarray(0, CHECKSUM_BYTES)
}
