import { createECDH, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { recordMessage } from '../protocol/domain.ts'
import { SecretKey } from '@chainsafe/blst'
import { blsKeyBytes } from '../protocol/bls.ts'
import { provePossession } from '../protocol/blsPossession.ts'
import { type DischargeRecord, encodeRecord } from '../protocol/record.ts'
import { BLS_LAYOUT, P256_LAYOUT, type SchemeLayout } from '../protocol/scheme.ts'
import { RECORD_BYTES } from '../protocol/limits.ts'
import { seededBytes } from './seed.ts'

/** The key inside a charger. */
export interface EvseSigner {
  readonly layout: SchemeLayout
  /** As descriptors hold it. */
  readonly publicKey: Uint8Array
  /** Of a BLS key: 192 bytes in L1's order. */
  readonly possession?: Uint8Array
  /** A row of the lane. */
  signRecord(record: DischargeRecord, place: { domain: Uint8Array; lat: number; lon: number }): Uint8Array
}

/** Key `index` of a seeded fleet. */
export function seededEvseSigner(seed: string, index: number): EvseSigner {
  const { scalar, publicKey } = seededEvseKey(seed, index)
  return signerFrom(scalar, publicKey)
}

/** A SHA-256 output is a valid P-256 scalar but for 2^-32 of them: the next one is taken then. */
export function seededEvseKey(seed: string, index: number): { scalar: Uint8Array; publicKey: Uint8Array } {
  for (let attempt = 0; ; attempt++) {
    const scalar = seededBytes(seed, `evse-key-${attempt}`, index)
    const curve = createECDH('prime256v1')
    try {
      curve.setPrivateKey(scalar)
    } catch {
      continue
    }
    return { scalar, publicKey: Uint8Array.from(curve.getPublicKey().subarray(1)) }
  }
}

function signerFrom(scalar: Uint8Array, publicKey: Uint8Array): EvseSigner {
  const key: KeyObject = createPrivateKey({
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: Buffer.from(scalar).toString('base64url'),
      x: Buffer.from(publicKey.subarray(0, 32)).toString('base64url'),
      y: Buffer.from(publicKey.subarray(32)).toString('base64url'),
    },
    format: 'jwk',
  })
  const signMessage = (message: Uint8Array): Uint8Array => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })
  return { layout: P256_LAYOUT, publicKey, signRecord: recordSigner(P256_LAYOUT, signMessage) }
}

/** Key `index` of a seeded fleet that signs with BLS12-381. */
export function seededBlsSigner(seed: string, index: number): EvseSigner {
  const key = SecretKey.fromKeygen(seededBytes(seed, 'evse-bls-key', index))
  return {
    layout: BLS_LAYOUT,
    publicKey: blsKeyBytes(key.toPublicKey()),
    possession: provePossession(key.toBytes()),
    signRecord: recordSigner(BLS_LAYOUT, (message) => key.sign(message).toBytes(false)),
  }
}

function recordSigner(
  { rowBytes }: SchemeLayout,
  signMessage: (message: Uint8Array) => Uint8Array,
): EvseSigner['signRecord'] {
  return (record, { domain, lat, lon }) => {
    const row = new Uint8Array(rowBytes)
    encodeRecord(record, row)
    row.set(signMessage(recordMessage(domain, row.subarray(0, RECORD_BYTES), lat, lon)), RECORD_BYTES)
    return row
  }
}
