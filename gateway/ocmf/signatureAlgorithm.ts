import { OcmfError, shown } from './ocmfError.ts'

/** A curve of the OCMF standard (tables 22 and 23; 521 bits since), or one of its families that real meters use. */
export interface Curve {
  /** As OpenSSL names it. */
  readonly name: string
  /** Content of the OBJECT IDENTIFIER. */
  readonly oid: string
  /** Bytes of a coordinate, and of r and s. */
  readonly bytes: number
}

const CURVES = {
  secp192k1: { name: 'secp192k1', oid: '2b8104001f', bytes: 24 },
  secp192r1: { name: 'prime192v1', oid: '2a8648ce3d030101', bytes: 24 },
  secp224r1: { name: 'secp224r1', oid: '2b81040021', bytes: 28 },
  secp256k1: { name: 'secp256k1', oid: '2b8104000a', bytes: 32 },
  secp256r1: { name: 'prime256v1', oid: '2a8648ce3d030107', bytes: 32 },
  secp384r1: { name: 'secp384r1', oid: '2b81040022', bytes: 48 },
  secp521r1: { name: 'secp521r1', oid: '2b81040023', bytes: 66 },
  brainpool256r1: { name: 'brainpoolP256r1', oid: '2b2403030208010107', bytes: 32 },
  brainpool384r1: { name: 'brainpoolP384r1', oid: '2b240303020801010b', bytes: 48 },
  brainpool512r1: { name: 'brainpoolP512r1', oid: '2b240303020801010d', bytes: 64 },
} as const satisfies Record<string, Curve>

export const KNOWN_CURVES: readonly Curve[] = Object.values(CURVES)

/** Other names of the same curves. */
const SYNONYMS: Readonly<Record<string, keyof typeof CURVES>> = {
  prime192v1: 'secp192r1',
  p192: 'secp192r1',
  prime256v1: 'secp256r1',
  p256: 'secp256r1',
  prime384v1: 'secp384r1',
  p384: 'secp384r1',
  p521: 'secp521r1',
}

const HASHES = { sha256: 'sha256', sha384: 'sha384', sha512: 'sha512' } as const
export type Hash = (typeof HASHES)[keyof typeof HASHES]

export interface Algorithm {
  /** Undefined: not said. */
  readonly curve: Curve | undefined
  readonly hash: Hash
}

/** What a value is signed with that says nothing of it. */
export const DEFAULT_ALGORITHM: Algorithm = { curve: CURVES.secp256r1, hash: 'sha256' }

/**
 * Reads SA or OCPP's signingMethod: ECDSA-secp256r1-SHA256, with or without the P of brainpoolP256r1, dashes, underscores, in any case. A curve that
 * is not known is none: the key's own counts, and only the right one verifies.
 * @throws OcmfError OCMF_UNREADABLE: another hash than SHA-256, -384, -512
 */
export function parseAlgorithm(text: string): Algorithm {
  const plain = text.toLowerCase().replace(/[^0-9a-z]/g, '')
  const hashName = /(sha[0-9]+|md5)/.exec(plain)?.[1] ?? 'sha256'
  if (!Object.hasOwn(HASHES, hashName)) {
    throw new OcmfError('OCMF_UNREADABLE', `signature algorithm ${shown(text)} is not known`)
  }
  return { curve: curveIn(plain), hash: HASHES[hashName as keyof typeof HASHES] }
}

function curveIn(plain: string): Curve | undefined {
  const name = /(brainpoolp?|secp|prime|nistp|p)([0-9]{3})([rkv]1)?/.exec(plain)
  if (name === null) return undefined
  const [, family, bits, kind = ''] = name
  const key = family!.startsWith('brainpool')
    ? `brainpool${bits}${kind}`
    : `${family!.replace('nistp', 'p')}${bits}${kind}`
  const known = SYNONYMS[key] ?? key
  return Object.hasOwn(CURVES, known) ? CURVES[known as keyof typeof CURVES] : undefined
}
