import type { X509Certificate } from 'node:crypto'
import { BackfeedError, ExitCode } from './errors.ts'

/** Milliseconds since the Unix epoch, both included. */
export interface CertificateTerm {
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

export function termOf({ validFromDate, validToDate }: X509Certificate): CertificateTerm {
  return { notBeforeMs: validFromDate.getTime(), notAfterMs: validToDate.getTime() }
}

/** `name`: of the certificate's key or file. @throws BackfeedError ERR_AUTH_EXPIRED (reason EXPIRED or NOT_YET_VALID) */
export function checkTerm(name: string, { notBeforeMs, notAfterMs }: CertificateTerm, nowMs: number): void {
  if (nowMs > notAfterMs) throw outOfTerm('EXPIRED', `the certificate of ${name} ended ${iso(notAfterMs)}: renew it`)
  if (nowMs < notBeforeMs) {
    const message = `the certificate of ${name} begins ${iso(notBeforeMs)}, and it is ${iso(nowMs)}: check the clock`
    throw outOfTerm('NOT_YET_VALID', message)
  }
}

function outOfTerm(reason: string, message: string): BackfeedError {
  return new BackfeedError('ERR_AUTH_EXPIRED', message, { exitCode: ExitCode.usage, details: { reason } })
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
