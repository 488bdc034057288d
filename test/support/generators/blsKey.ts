import { type PublicKey, SecretKey } from '@chainsafe/blst'
import { blsKeyBytes } from '../../../protocol/bls.ts'
import { provePossession } from '../../../protocol/blsPossession.ts'
import type { Random } from './random.ts'

/** A charger's BLS12-381 key. */
export interface BlsEvseKey {
  /** 32 bytes. */
  readonly secret: Uint8Array
  /** x 64 ‖ y 64, as descriptors hold it. */
  readonly publicKey: Uint8Array
  readonly point: PublicKey
  /** 192 bytes, as libraries serialise it. */
  sign(message: Uint8Array): Uint8Array
  /** 192 bytes in L1's order. */
  possession(): Uint8Array
}

export function blsEvseKey(random: Random): BlsEvseKey {
  const key = SecretKey.fromKeygen(random.bytes(32))
  const point = key.toPublicKey()
  return {
    secret: key.toBytes(),
    publicKey: blsKeyBytes(point),
    point,
    sign: (message) => key.sign(message).toBytes(false),
    possession: () => provePossession(key.toBytes()),
  }
}
