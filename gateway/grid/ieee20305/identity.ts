import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Agent } from 'node:https'
import { checkTerm, termOf } from '../../../runtime/certificateTerm.ts'
import { BackfeedError, ExitCode } from '../../../runtime/errors.ts'
import { readOwnKey } from '../../../evse/signer/secretFile.ts'

export interface DeviceId {
  /** Long form device identifier: the first 20 bytes of the certificate's SHA-256, upper-case hex. */
  readonly lfdi: string
  /** Short form: its first 36 bits in decimal, and a digit that makes the sum of all digits a multiple of ten. */
  readonly sfdi: number
}

/** IEEE 2030.5-2018, 6.3.2 to 6.3.4. `der`: the certificate. */
export function deviceIdOf(der: Uint8Array): DeviceId {
  return deviceIdOfFingerprint(createHash('sha256').update(der).digest())
}

/** `digest`: the certificate's SHA-256. */
export function deviceIdOfFingerprint(digest: Buffer): DeviceId {
  return { lfdi: digest.subarray(0, 20).toString('hex').toUpperCase(), sfdi: sfdiOf(digest) }
}

function sfdiOf(digest: Buffer): number {
  const bits = Math.floor(digest.readUIntBE(0, 5) / 16)
  let sum = 0
  for (const digit of String(bits)) sum += Number(digit)
  return bits * 10 + ((10 - (sum % 10)) % 10)
}

export interface TlsFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly caFile: string
  /** OpenSSL's list; the standard's own suite is `ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0`. */
  readonly ciphers?: string | undefined
  /** Whether the server's certificate must carry the host's name; certificates of 2030.5 devices seldom do. */
  readonly checkServerName: boolean
}

export interface Identity extends DeviceId {
  readonly agent: Agent
  /** End of the certificate's validity, milliseconds. */
  readonly validToMs: number
  /** Of all files: another one is another identity. */
  readonly fingerprint: string
  close(): void
}

/**
 * Reads the files, all of them, so that a renewed certificate is taken up without a restart.
 *
 * @throws BackfeedError ERR_AUTH_EXPIRED when the certificate is out of date, or others may read the key file; KEY_UNREADABLE;
 * GRID_IDENTITY_UNREADABLE when a certificate is missing, a file is not PEM, or the key is not the certificate's.
 */
export async function loadIdentity(files: TlsFiles, nowMs: number): Promise<Identity> {
  const key = readOwnKey(files.keyFile)
  const [cert, ca] = await Promise.all([readPem(files.certFile), readPem(files.caFile)])
  const certificate = parse(files.certFile, () => new X509Certificate(cert))
  const privateKey = parse(files.keyFile, () => createPrivateKey(key))
  if (!certificate.checkPrivateKey(privateKey)) {
    throw unreadable(`${files.keyFile} is not the key of ${files.certFile}`)
  }
  const term = termOf(certificate)
  checkTerm(files.certFile, term, nowMs)
  const agent = new Agent({
    cert,
    key,
    ca,
    minVersion: 'TLSv1.2',
    keepAlive: true,
    maxSockets: 2,
    ...(files.ciphers === undefined ? {} : { ciphers: files.ciphers }),
    ...(files.checkServerName ? {} : { checkServerIdentity: () => undefined }),
  })
  const fingerprint = createHash('sha256').update(cert).update(key).update(ca).digest('hex')
  return {
    ...deviceIdOf(certificate.raw),
    agent,
    validToMs: term.notAfterMs,
    fingerprint,
    close: () => agent.destroy(),
  }
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw unreadable(`cannot read ${path}`, cause)
  }
}

function parse<T>(path: string, attempt: () => T): T {
  try {
    return attempt()
  } catch (cause) {
    throw unreadable(`${path} is no PEM of what is expected`, cause)
  }
}

function unreadable(message: string, cause?: unknown): BackfeedError {
  return new BackfeedError('GRID_IDENTITY_UNREADABLE', message, { retryable: true, exitCode: ExitCode.usage, cause })
}
