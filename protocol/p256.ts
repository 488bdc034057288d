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
  return verify('sha256', message, key, derFromRaw(signature))
}

/** DER SEQUENCE of two INTEGERs from raw r ‖ s (64 bytes). */
export function derFromRaw(raw: Uint8Array): Uint8Array {
  const r = integerSpan(raw, 0)
  const s = integerSpan(raw, 32)
  const der = new Uint8Array(6 + r.length + s.length)
  der[0] = 0x30
  der[1] = 4 + r.length + s.length
  der[2] = 0x02
  der[3] = r.length
  der.set(raw.subarray(r.from, 32), 4 + r.length - (32 - r.from))
  const at = 4 + r.length
  der[at] = 0x02
  der[at + 1] = s.length
  der.set(raw.subarray(s.from, 64), at + 2 + s.length - (64 - s.from))
  return der
}

/** Where the minimal big-endian integer in raw[at, at + 32) begins, and its length with a sign byte if it needs one. */
function integerSpan(raw: Uint8Array, at: number): { from: number; length: number } {
  const last = at + 31
  let from = at
  while (from < last && raw[from] === 0) from++
  return { from, length: last + 1 - from + (raw[from]! >= 0x80 ? 1 : 0) }
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
