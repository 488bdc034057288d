import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type CertificateTerm, checkTerm, termOf } from '../../runtime/certificateTerm.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { CERTIFICATE_WARNING_EVERY_MS, CERTIFICATE_WARNING_MS } from './limits.ts'

/** @throws BackfeedError CERTIFICATE_INVALID: unreadable, or of another key */
export function certificateTerm(certificate: Uint8Array, publicKey: Uint8Array, origin: string): CertificateTerm {
  let parsed: X509Certificate
  let point: Buffer
  try {
    parsed = new X509Certificate(certificate)
    const { x = '', y = '' } = parsed.publicKey.export({ format: 'jwk' })
    point = Buffer.concat([Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')])
  } catch (cause) {
    throw invalid(`${origin} is no certificate of an elliptic-curve key`, cause)
  }
  if (!point.equals(publicKey)) throw invalid(`${origin} certifies another key`)
  return termOf(parsed)
}

export async function readCertificateFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw invalid(`cannot read ${path}`, cause)
  }
}

/** Lets a key sign only within its certificate's term, and tells of the end ahead of time. */
export class CertificateGuard {
  readonly expiresAtMs: number | undefined
  readonly #term: CertificateTerm | undefined
  readonly #now: () => number
  readonly #log: Logger
  readonly #keyName: string
  #warnedAtMs = Number.NEGATIVE_INFINITY

  constructor(settings: { term: CertificateTerm | undefined; now: () => number; log: Logger; keyName: string }) {
    this.#term = settings.term
    this.#now = settings.now
    this.#log = settings.log
    this.#keyName = settings.keyName
    this.expiresAtMs = settings.term?.notAfterMs
  }

  /** @throws BackfeedError ERR_AUTH_EXPIRED (reason EXPIRED or NOT_YET_VALID) */
  check(): void {
    if (this.#term === undefined) return
    const now = this.#now()
    checkTerm(this.#keyName, this.#term, now)
    const { notAfterMs } = this.#term
    if (notAfterMs - now < CERTIFICATE_WARNING_MS && now - this.#warnedAtMs >= CERTIFICATE_WARNING_EVERY_MS) {
      this.#warnedAtMs = now
      const expiresAt = new Date(notAfterMs).toISOString()
      this.#log.warn(
        { key: this.#keyName, expiresAt },
        `the certificate of ${this.#keyName} ends ${expiresAt}; nothing is signed after that`,
      )
    }
  }
}

function invalid(message: string, cause?: unknown): BackfeedError {
  return new BackfeedError('CERTIFICATE_INVALID', message, { exitCode: ExitCode.usage, cause })
}
