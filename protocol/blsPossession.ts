import { bls12_381 } from '@noble/curves/bls12-381.js'
import { l1FromZcash, parseBlsKey, parseL1Signature } from './bls.ts'

// Proofs of possession (docs/protocol.md §15.5): without one, a key made up from others' keys would forge their aggregates. They
// have a domain of their own, which blst's binding does not offer; a few milliseconds are no matter at a registration.

const POSSESSION_DST = 'BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_'
const { longSignatures } = bls12_381

/** By the secret key, 32 bytes: the 192 bytes, in L1's order, that a registration takes for each descriptor. */
export function provePossession(secretKey: Uint8Array): Uint8Array {
  const publicKey = longSignatures.getPublicKey(secretKey).toBytes(true)
  const signature = longSignatures.sign(longSignatures.hash(publicKey, POSSESSION_DST), secretKey)
  return l1FromZcash(signature.toBytes(false))
}

/** `key`: EIP-2537's 128 bytes. False also for a key that is not valid. */
export function verifyPossession(key: Uint8Array, possession: Uint8Array): boolean {
  const publicKey = parseBlsKey(key)?.toBytes(true)
  const signature = parseL1Signature(possession)?.toBytes(true)
  if (publicKey === undefined || signature === undefined) return false
  const point = longSignatures.Signature.fromBytes(signature)
  if (point.is0()) return false
  return longSignatures.verify(point, longSignatures.hash(publicKey, POSSESSION_DST), publicKey)
}
