import { SecretKey } from '@chainsafe/blst'
import { type BlsSignature, blsKeyBytes } from '../../../protocol/bls.ts'
import type { Random } from './random.ts'

/** A charger's BLS12-381 key. */
export interface BlsEvseKey {
  readonly secret: SecretKey
  /** EIP-2537's x ‖ y, 128 bytes. */
  readonly publicKey: Uint8Array
}

export function blsEvseKey(random: Random): BlsEvseKey {
  const secret = SecretKey.fromKeygen(random.bytes(32))
  return { secret, publicKey: blsKeyBytes(secret.toPublicKey()) }
}

export function signBls(key: BlsEvseKey, message: Uint8Array): BlsSignature {
  return key.secret.sign(message)
}
