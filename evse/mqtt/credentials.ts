import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type CertificateTerm, checkTerm, termOf } from '../../runtime/certificateTerm.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { readSecretFile } from '../../runtime/secretFile.ts'
import type { BrokerConfig } from './config.ts'

/** What is shown to a broker, as mqtt.js takes it. */
export interface Credentials {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
  readonly username?: string
  readonly password?: string
  /** End of the client certificate, milliseconds since the Unix epoch. */
  readonly expiresAtMs: number | undefined
}

/**
 * Reads the files anew: a renewed certificate counts from the next connection on.
 * @throws BackfeedError ERR_AUTH_EXPIRED (certificate over or not begun, key file that others may read), CREDENTIALS_UNREADABLE
 */
export function readCredentials(config: BrokerConfig, nowMs: number): Credentials {
  const { caFile, certFile, keyFile, username, passwordFile } = config
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new BackfeedError('CONFIG_INVALID', 'certFile and keyFile are given together', { exitCode: ExitCode.usage })
  }
  const cert = certFile === undefined ? undefined : readOpen(certFile)
  const expiresAtMs = cert === undefined ? undefined : endOf(cert, certFile!, nowMs)
  return {
    expiresAtMs,
    ...(caFile !== undefined && { ca: readOpen(caFile) }),
    ...(cert !== undefined && { cert }),
    ...(keyFile !== undefined && { key: readSecret(keyFile) }),
    ...(username !== undefined && { username }),
    ...(passwordFile !== undefined && { password: firstLine(passwordFile) }),
  }
}

function endOf(pem: Buffer, path: string, nowMs: number): number {
  let term: CertificateTerm
  try {
    term = termOf(new X509Certificate(pem))
  } catch (cause) {
    throw unreadable(path, cause)
  }
  checkTerm(path, term, nowMs)
  return term.notAfterMs
}

function readSecret(path: string): Buffer {
  return readSecretFile(path, { unreadable: 'CREDENTIALS_UNREADABLE' })
}

function firstLine(path: string): string {
  return readSecret(path).toString('utf8').split(/\r?\n/, 1)[0]!
}

function readOpen(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string, cause: unknown): BackfeedError {
  return new BackfeedError('CREDENTIALS_UNREADABLE', `cannot read ${path}`, { exitCode: ExitCode.usage, cause })
}
