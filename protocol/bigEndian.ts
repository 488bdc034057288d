// Unsigned big-endian integers in byte arrays. Plain arithmetic rather than DataView: these run several times a record.

export function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x100 + bytes[at + 1]!
}

export function readU24(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x10000 + bytes[at + 1]! * 0x100 + bytes[at + 2]!
}

export function readU32(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x1000000 + bytes[at + 1]! * 0x10000 + bytes[at + 2]! * 0x100 + bytes[at + 3]!
}

export function readI32(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) | 0
}

export function readU40(bytes: Uint8Array, at: number): number {
  return bytes[at]! * 0x100000000 + readU32(bytes, at + 1)
}

export function readU48(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at) * 0x100000000 + readU32(bytes, at + 2)
}

/** Exact below 2^53 only; the fields read with it cannot get there (see the leaf that holds them). */
export function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) * 0x100000000 + readU32(bytes, at + 4)
}

export function readBigUint(bytes: Uint8Array, at: number, length: number): bigint {
  let value = 0n
  for (let i = at; i < at + length; i++) value = (value << 8n) | BigInt(bytes[i]!)
  return value
}

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function writeU24(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 16
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

export function writeU40(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = Math.floor(value / 0x100000000)
  writeU32(bytes, at + 1, value % 0x100000000)
}

export function writeU48(bytes: Uint8Array, at: number, value: number): void {
  writeU16(bytes, at, Math.floor(value / 0x100000000))
  writeU32(bytes, at + 2, value % 0x100000000)
}

/** `value` < 2^53. */
export function writeU64(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, Math.floor(value / 0x100000000))
  writeU32(bytes, at + 4, value % 0x100000000)
}

export function writeBigUint(bytes: Uint8Array, at: number, length: number, value: bigint): void {
  let rest = value
  for (let i = at + length - 1; i >= at; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
}
