import { verify } from 'node:crypto'
import { type MeterKey, parseMeterKey } from './meterKey.ts'
import type { OcmfDocument } from './ocmfDocument.ts'
import { OcmfError } from './ocmfError.ts'
import { type Algorithm, type Curve, DEFAULT_ALGORITHM, parseAlgorithm } from './signatureAlgorithm.ts'
import type { SignedValueFlag } from './signedValue.ts'

/**
 * Verifies the payload as it came, by the configured key, in Node's thread pool. The key's own curve counts: meters announce others.
 * Returns what is odd. @throws OcmfError OCMF_BAD_SIGNATURE, OCMF_KEY_UNKNOWN, OCMF_UNREADABLE
 */
export async function verifyDocument(
  document: OcmfDocument,
  meterKey: Uint8Array,
  signingMethod: string | undefined,
): Promise<SignedValueFlag[]> {
  const algorithm = algorithmOf(document, signingMethod)
  const announced = algorithm.curve ?? DEFAULT_ALGORITHM.curve!
  const meter = parseMeterKey(meterKey, announced)
  if (!(await isSigned(document, meter, algorithm))) {
    const curve = sameCurve(meter.curve, announced) ? '' : `, which announces ${announced.name}`
    throw new OcmfError(
      'OCMF_BAD_SIGNATURE',
      `the signature does not fit the value and the configured ${meter.curve.name} key${curve}`,
    )
  }
  return algorithm.curve === undefined || sameCurve(meter.curve, announced) ? [] : ['CURVE_DIFFERS']
}

/** What the value itself says counts; else what OCPP says beside it; else the standard's default. */
function algorithmOf(document: OcmfDocument, signingMethod: string | undefined): Algorithm {
  if (document.algorithm !== undefined) return parseAlgorithm(document.algorithm)
  if (signingMethod === undefined) return { curve: undefined, hash: DEFAULT_ALGORITHM.hash }
  return parseAlgorithm(signingMethod)
}

async function isSigned({ payload, signature }: OcmfDocument, meter: MeterKey, { hash }: Algorithm): Promise<boolean> {
  const raw = signature.length === 2 * meter.curve.bytes
  // A raw signature may look like DER by chance, so that both are tried where both are possible.
  if (signature[0] === 0x30 && (await verifies(hash, payload, meter, signature, 'der'))) return true
  return raw && (await verifies(hash, payload, meter, signature, 'ieee-p1363'))
}

function verifies(
  hash: string,
  payload: Uint8Array,
  { key }: MeterKey,
  signature: Uint8Array,
  dsaEncoding: 'der' | 'ieee-p1363',
): Promise<boolean> {
  return new Promise((resolve) => {
    try {
      verify(hash, payload, { key, dsaEncoding }, signature, (error, good) => resolve(error === null && good))
    } catch {
      resolve(false)
    }
  })
}

function sameCurve(a: Curve, b: Curve): boolean {
  return a.name === b.name
}
