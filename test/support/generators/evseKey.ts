import { createECDH, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import type { Random } from './random.ts'

/** A charger's P-256 key. */
export interface EvseKey {
  readonly secret: KeyObject
  /** x ‖ y, 64 bytes. */
  readonly publicKey: Uint8Array
}

export const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

export function evseKey(random: Random): EvseKey {
  const scalar = Buffer.from(random.bytes(32))
  scalar[0] = 0x5a // below the order, above zero
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(scalar)
  const point = ecdh.getPublicKey()
  const [x, y] = [point.subarray(1, 33), point.subarray(33)]
  const jwk = { kty: 'EC', crv: 'P-256', d: scalar, x, y }
  const encoded = Object.fromEntries(
    Object.entries(jwk).map(([name, value]) => [name, Buffer.isBuffer(value) ? value.toString('base64url') : value]),
  )
  return { secret: createPrivateKey({ key: encoded, format: 'jwk' }), publicKey: new Uint8Array([...x, ...y]) }
}

/** Raw r ‖ s over SHA-256 of `message`. The nonce is OpenSSL's: a replay judges alike, but with other signature bytes. */
export function signP256(key: EvseKey, message: Uint8Array): Uint8Array {
  return sign('sha256', message, { key: key.secret, dsaEncoding: 'ieee-p1363' })
}

/** The other signature of the same message: (r, n − s), which is as good. */
export function withOtherS(signature: Uint8Array): Uint8Array {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString('hex')}`)
  const other = (P256_ORDER - s).toString(16).padStart(64, '0')
  return new Uint8Array([...signature.subarray(0, 32), ...Buffer.from(other, 'hex')])
}

export function wordBytes(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(64, '0'), 'hex')
}
