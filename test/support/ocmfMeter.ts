import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A meter that signs OCMF values, on any curve, as vendors do it. */
export interface OcmfMeter {
  /** DER SubjectPublicKeyInfo, as configured. */
  readonly key: Uint8Array
  readonly publicKey: KeyObject
  sign(payload: string | object, how?: SigningHow): string
}

export interface SigningHow {
  /** SA; undefined leaves it away. Default: of the meter. */
  readonly algorithm?: string | undefined
  readonly hash?: 'sha256' | 'sha384' | 'sha512'
  readonly form?: 'der' | 'raw'
  readonly encoding?: 'hex' | 'base64'
}

export function makeOcmfMeter(curve = 'prime256v1', announced = 'secp256r1'): OcmfMeter {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve })
  return {
    key: publicKey.export({ type: 'spki', format: 'der' }),
    publicKey,
    sign(payload, how = {}) {
      const { hash = 'sha256', form = 'der', encoding = 'hex' } = how
      const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
      const dsaEncoding = form === 'der' ? 'der' : 'ieee-p1363'
      const signature = sign(hash, Buffer.from(text), { key: privateKey, dsaEncoding })
      const algorithm = 'algorithm' in how ? how.algorithm : `ECDSA-${announced}-${hash.toUpperCase()}`
      const section = {
        ...(algorithm === undefined ? {} : { SA: algorithm }),
        ...(encoding === 'base64' ? { SE: 'base64' } : {}),
        SD: signature.toString(encoding),
      }
      return `OCMF|${text}|${JSON.stringify(section)}`
    },
  }
}

/** A payload with one reading of the export register. */
export function exportPayload(kWh: string, more: object = {}, reading: object = {}): string {
  const base = {
    FV: '1.0',
    GI: 'GATEWAY',
    GS: 'G1',
    PG: 'T7',
    MS: 'M1',
    IS: true,
    IT: 'NONE',
    ID: '',
    RD: [
      {
        TM: '2026-09-22T17:15:00,250+0200 S',
        TX: 'C',
        RV: 0,
        RI: '1-0:2.8.0',
        RU: 'kWh',
        RT: 'AC',
        EF: '',
        ST: 'G',
        ...reading,
      },
    ],
    ...more,
  }
  return JSON.stringify(base).replace('"RV":0', `"RV":${kWh}`)
}
