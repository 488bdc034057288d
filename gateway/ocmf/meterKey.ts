import { createPublicKey, ECDH, type KeyObject } from 'node:crypto'
import { bytesOfBase64, bytesOfHex } from './encodedBytes.ts'
import { MAX_PARSED_KEYS } from './limits.ts'
import { OcmfError } from './ocmfError.ts'
import { type Curve, KNOWN_CURVES } from './signatureAlgorithm.ts'

export interface MeterKey {
  readonly key: KeyObject
  readonly curve: Curve
}

/**
 * Bytes of a key as people and protocols write it: PEM; hex (with spaces) or base64 of DER SubjectPublicKeyInfo or of a raw point; OCPP's base64 of
 * `oca:base16:asn1:…`. Undefined when it is none. For `EdgeEvse.meterKey`.
 */
export function meterKeyBytes(text: string): Uint8Array | undefined {
  const trimmed = text.trim()
  if (trimmed.length > 4_096) return undefined
  if (trimmed.startsWith('-----BEGIN')) return pemBytes(trimmed)
  const labelled = /^oca:base(16|64):(?:asn1|raw):(.*)$/is.exec(trimmed)
  if (labelled !== null) return labelled[1] === '16' ? bytesOfHex(labelled[2]!) : bytesOfBase64(labelled[2]!)
  const bytes = bytesOfHex(trimmed) ?? bytesOfBase64(trimmed)
  if (bytes === undefined) return undefined
  // Base64 of text that is a key once more.
  const inner = Buffer.from(bytes).toString('latin1').trim()
  if (/^(oca:|-----BEGIN)/.test(inner) || /^(0x)?[0-9a-fA-F\s]{48,}$/.test(inner)) return meterKeyBytes(inner)
  return bytes
}

/**
 * A public key from DER SubjectPublicKeyInfo, or from a raw point (04 ‖ x ‖ y, compressed, or x ‖ y) on `announced`.
 * @throws OcmfError OCMF_KEY_UNKNOWN
 */
export function parseMeterKey(bytes: Uint8Array, announced: Curve): MeterKey {
  const id = `${announced.name} ${Buffer.from(bytes.subarray(0, 512)).toString('latin1')}`
  const known = parsed.get(id)
  if (known !== undefined) return known
  const key = bytes[0] === 0x30 ? fromDer(bytes) : fromPoint(bytes, announced)
  if (parsed.size >= MAX_PARSED_KEYS) parsed.delete(parsed.keys().next().value!)
  parsed.set(id, key)
  return key
}

/**
 * What is wrong with a key as it is configured, or undefined. Of a raw point only the length can be looked at: its curve is announced by the values.
 */
export function meterKeyProblem(text: string): string | undefined {
  const bytes = meterKeyBytes(text)
  if (bytes === undefined) return 'no PEM, hex or base64 of a public key'
  if (bytes[0] !== 0x30) {
    const fits = KNOWN_CURVES.some(({ bytes: size }) => [2 * size, 2 * size + 1, size + 1].includes(bytes.length))
    return fits ? undefined : `${bytes.length} bytes are no point of any of OCMF’s curves`
  }
  try {
    fromDer(bytes)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Parsing costs as much as a verification. */
const parsed = new Map<string, MeterKey>()

function fromDer(bytes: Uint8Array): MeterKey {
  let key: KeyObject
  try {
    key = createPublicKey({ key: Buffer.from(bytes), format: 'der', type: 'spki' })
  } catch {
    throw unusable('it is no SubjectPublicKeyInfo of a point on a known curve')
  }
  const name = key.asymmetricKeyDetails?.namedCurve
  const curve = KNOWN_CURVES.find((known) => known.name === name)
  if (curve === undefined) throw unusable(`its curve ${name ?? key.asymmetricKeyType} is none of OCMF’s`)
  return { key, curve }
}

function fromPoint(bytes: Uint8Array, curve: Curve): MeterKey {
  const { name, oid, bytes: size } = curve
  const bare = bytes.length === 2 * size
  if (!bare && bytes.length !== 2 * size + 1 && bytes.length !== size + 1) {
    throw unusable(`${bytes.length} bytes are no point of ${name}, which the value announces`)
  }
  let point: Buffer
  try {
    const text = bare ? Buffer.concat([Buffer.from([4]), bytes]) : Buffer.from(bytes)
    point = ECDH.convertKey(text, name, undefined, undefined, 'uncompressed') as Buffer
  } catch {
    throw unusable(`it is no point of ${name}, which the value announces`)
  }
  const algorithm = der(0x30, Buffer.concat([EC_PUBLIC_KEY, der(0x06, Buffer.from(oid, 'hex'))]))
  return fromDer(der(0x30, Buffer.concat([algorithm, der(0x03, Buffer.concat([Buffer.from([0]), point]))])))
}

/** OBJECT IDENTIFIER id-ecPublicKey */
const EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex')

function der(tag: number, content: Buffer): Buffer {
  const length = content.length < 128 ? [content.length] : [0x81, content.length]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

function pemBytes(text: string): Uint8Array | undefined {
  try {
    return createPublicKey(text).export({ type: 'spki', format: 'der' })
  } catch {
    return undefined
  }
}

function unusable(why: string): OcmfError {
  return new OcmfError('OCMF_KEY_UNKNOWN', `the configured meter key cannot be used: ${why}`)
}
