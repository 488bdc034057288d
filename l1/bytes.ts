import type { Hex } from 'viem'

/** Native conversions: viem's are an order slower, which shows at 131 072 bytes a blob. */
export function toHex(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`
}

export function fromHex(hex: string): Uint8Array<ArrayBuffer> {
  const digits = hex.startsWith('0x') ? hex.slice(2) : hex
  const bytes = new Uint8Array(digits.length >> 1)
  const decoded = Buffer.from(digits, 'hex')
  if (digits.length % 2 !== 0 || decoded.length !== bytes.length) throw new RangeError('not a hex string')
  bytes.set(decoded)
  return bytes
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}
