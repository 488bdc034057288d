import { createECDH, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { recordMessage } from '../protocol/domain.ts'
import { type DischargeRecord, encodeRecord, SIGNED_RECORD_BYTES } from '../protocol/record.ts'
import { RECORD_BYTES } from '../protocol/limits.ts'
import { seededBytes } from './seed.ts'

/** The key inside a charger. */
export interface EvseSigner {
  /** x ‖ y, 64 bytes. */
  readonly publicKey: Uint8Array
  /** record 24 ‖ signature 64. */
  signRecord(record: DischargeRecord, place: { domain: Uint8Array; lat: number; lon: number }): Uint8Array
}

/** Key `index` of a seeded fleet. A SHA-256 output is a valid P-256 scalar but for 2^-32 of them: the next one is taken then. */
export function seededEvseSigner(seed: string, index: number): EvseSigner {
  for (let attempt = 0; ; attempt++) {
    const scalar = seededBytes(seed, `evse-key-${attempt}`, index)
    const curve = createECDH('prime256v1')
    try {
      curve.setPrivateKey(scalar)
    } catch {
      continue
    }
    const point = curve.getPublicKey().subarray(1)
    return signerFrom(scalar, Uint8Array.from(point))
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
  return {
    publicKey,
    signRecord: (record, { domain, lat, lon }) => {
      const row = new Uint8Array(SIGNED_RECORD_BYTES)
      encodeRecord(record, row)
      const message = recordMessage(domain, row.subarray(0, RECORD_BYTES), lat, lon)
      row.set(sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }), RECORD_BYTES)
      return row
    },
  }
}
