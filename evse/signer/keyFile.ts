import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { readOwnKey } from './secretFile.ts'

export interface P256KeyPair {
  readonly privateKey: KeyObject
  /** x ‖ y, 64 bytes. */
  readonly publicKey: Uint8Array
}

/** @throws BackfeedError KEY_UNREADABLE: no P-256 private key; ERR_AUTH_EXPIRED (reason PERMISSIONS) */
export async function readKeyFile(path: string): Promise<P256KeyPair> {
  const content = readOwnKey(path)
  const text = content.toString('latin1').trim()
  let privateKey: KeyObject
  try {
    privateKey = /^(0x)?[0-9a-fA-F]{64}$/.test(text) ? keyOfScalar(text) : createPrivateKey(content)
  } catch (cause) {
    throw refused(`${path} holds no private key that can be read without a passphrase`, cause)
  } finally {
    content.fill(0)
  }
  if (privateKey.asymmetricKeyType !== 'ec' || privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw refused(`${path} holds no P-256 key`)
  }
  return { privateKey, publicKey: publicPoint(privateKey) }
}

/** x ‖ y, 64 bytes, of a P-256 key. */
export function publicPoint(key: KeyObject): Uint8Array {
  const { x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' })
  const point = new Uint8Array(64)
  point.set(Buffer.from(x, 'base64url'), 0)
  point.set(Buffer.from(y, 'base64url'), 32)
  return point
}

/** The form that `backfeed admin keygen` writes. */
function keyOfScalar(hex: string): KeyObject {
  const scalar = Buffer.from(hex.replace(/^0x/, ''), 'hex')
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(scalar)
  const point = curve.getPublicKey()
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    d: scalar.toString('base64url'),
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  }
  return createPrivateKey({ key: jwk, format: 'jwk' })
}

function refused(message: string, cause?: unknown): BackfeedError {
  return new BackfeedError('KEY_UNREADABLE', message, { exitCode: ExitCode.usage, cause })
}
