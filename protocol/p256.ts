import { createPublicKey, type KeyObject, verify } from 'node:crypto'

// ECDSA on P-256 over SHA-256, raw r ‖ s, high and low s alike (docs/protocol.md §4; EIP-7951 on L1). OpenSSL is fastest when given a
// parsed key directly and a DER signature: an options object costs a hidden exception a call, raw signatures re-export the key.

const RAW_BYTES = 64

/** Parses x ‖ y (64 bytes). Undefined when it is no point of the curve: then no signature verifies, as on L1. */
export function parseP256Key(key: Uint8Array): KeyObject | undefined {
  const x = Buffer.from(key.buffer, key.byteOffset, 32).toString('base64url')
  const y = Buffer.from(key.buffer, key.byteOffset + 32, 32).toString('base64url')
  try {
    return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
  } catch {
    return undefined
  }
}

/** Whether raw r ‖ s signs `message`. A signature that is not 64 bytes long is none. */
export function verifyP256(key: KeyObject | undefined, message: Uint8Array, signature: Uint8Array): boolean {
  if (key === undefined || signature.length !== RAW_BYTES) return false
  const length = derBytes(signature)
  derScratch[length] ??= new Uint8Array(length)
  writeDer(signature, derScratch[length])
  return verify('sha256', message, key, derScratch[length])
}

/** One for each length, used again at every verification: 72 bytes would be an allocation outside V8's heap each time. */
const derScratch: (Uint8Array<ArrayBuffer> | undefined)[] = []

/** DER SEQUENCE of two INTEGERs from raw r ‖ s (64 bytes). */
export function derFromRaw(raw: Uint8Array): Uint8Array {
  const der = new Uint8Array(derBytes(raw))
  writeDer(raw, der)
  return der
}

function derBytes(raw: Uint8Array): number {
  return 6 + integerBytes(raw, 0) + integerBytes(raw, 32)
}

function writeDer(raw: Uint8Array, der: Uint8Array): void {
  der[0] = 0x30
  der[1] = der.length - 2
  const sAt = writeInteger(raw, 0, der, 2)
  writeInteger(raw, 32, der, sAt)
}

/** Returns where the next one goes. */
function writeInteger(raw: Uint8Array, from: number, der: Uint8Array, at: number): number {
  const length = integerBytes(raw, from)
  der[at] = 0x02
  der[at + 1] = length
  const end = at + 2 + length
  // Right-aligned; a 33rd byte is the sign's zero.
  if (length > 32) der[at + 2] = 0
  const bytes = length > 32 ? 32 : length
  for (let i = 1; i <= bytes; i++) der[end - i] = raw[from + 32 - i]!
  return end
}

/** Length of the minimal big-endian integer in raw[at, at + 32), with a sign byte if it needs one. */
function integerBytes(raw: Uint8Array, at: number): number {
  const last = at + 31
  let from = at
  while (from < last && raw[from] === 0) from++
  return last + 1 - from + (raw[from]! >= 0x80 ? 1 : 0)
}

/**
 * Raw r ‖ s (64 bytes) from the DER that smart meters and HSMs hand out. Undefined for anything but the one encoding that
 * X.690 §10 allows of two integers between 1 and 2^256 − 1: a lenient reader would give one signature many names.
 */
export function rawFromDer(der: Uint8Array): Uint8Array | undefined {
  // Two integers of at most 33 bytes never need a long-form length.
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined
  const rLength = der[3]
  if (rLength === undefined) return undefined
  const raw = new Uint8Array(RAW_BYTES)
  const sAt = 4 + rLength
  if (!copyDerInteger(der.subarray(2, sAt), raw.subarray(0, 32))) return undefined
  if (!copyDerInteger(der.subarray(sAt), raw.subarray(32))) return undefined
  return raw
}

/** Copies exactly one positive DER INTEGER, right-aligned. */
function copyDerInteger(der: Uint8Array, into: Uint8Array): boolean {
  const length = der.length - 2
  if (length < 1 || length > into.length + 1 || der[0] !== 0x02 || der[1] !== length) return false
  const first = der[2]!
  if (first >= 0x80) return false
  if (first === 0 && (length === 1 || der[3]! < 0x80)) return false
  if (length > into.length && first !== 0) return false
  const value = der.subarray(first === 0 ? 3 : 2)
  into.set(value, into.length - value.length)
  return true
}
