import { TLSSocket } from 'node:tls'
import { hostKey } from '../../runtime/hostConnections.ts'
import type { FailedAttempts } from './attempts.ts'
import type { OcppVersion, SecurityProfile, StationConfig } from './config.ts'
import type { PasswordChecker } from './passwords.ts'
import type { Handshake } from './rpc.ts'

/** A station of the configuration, with what it inherits from the section. */
export interface KnownStation {
  readonly id: string
  readonly securityProfile: SecurityProfile
  readonly passwordHash: string | undefined
  readonly discharge: StationConfig['discharge']
  readonly variables: StationConfig['variables']
}

export interface Admitted {
  readonly station: KnownStation
  /** False: none in common; the connection is opened without one and closed at once (OCPP 2.0.1 part 4, 3.1.2). */
  readonly protocol: OcppVersion | false
  /** End of the client certificate, milliseconds since the Unix epoch. */
  readonly certificateEndMs: number | undefined
}

export interface Refusal {
  readonly status: 401 | 403 | 404 | 429 | 503
  readonly code:
    | 'STATION_UNKNOWN'
    | 'STATION_AUTH_FAILED'
    | 'ERR_AUTH_EXPIRED'
    | 'STATION_AUTH_LIMITED'
    | 'STATION_AUTH_BUSY'
  readonly message: string
}

export interface AdmissionDeps {
  readonly stations: ReadonlyMap<string, KnownStation>
  readonly protocols: readonly OcppVersion[]
  readonly attempts: FailedAttempts
  readonly passwords: PasswordChecker
  readonly now: () => number
}

export type Admission = ({ readonly ok: true } & Admitted) | ({ readonly ok: false } & Refusal)

/** Whether a station may connect, by its security profile (OCPP 2.0.1 part 2, A00). */
export async function admit(deps: AdmissionDeps, handshake: Handshake): Promise<Admission> {
  const { identity } = handshake
  const host = hostKey(handshake.remoteAddress ?? '')
  if (!deps.attempts.mayTry(host, identity)) {
    return { ok: false, status: 429, code: 'STATION_AUTH_LIMITED', message: 'too many failures; wait a minute' }
  }
  const refuse = (refusal: Refusal): Admission => {
    if (refusal.code !== 'STATION_AUTH_BUSY') deps.attempts.failed(host, identity)
    return { ok: false, ...refusal }
  }
  const station = deps.stations.get(identity)
  if (station === undefined) {
    return refuse({ status: 404, code: 'STATION_UNKNOWN', message: 'not a station of the configuration' })
  }
  const socket = handshake.request.socket
  const tls = socket instanceof TLSSocket ? socket : undefined
  if (station.securityProfile > 1 && tls === undefined) {
    const message = `security profile ${station.securityProfile} needs TLS`
    return refuse({ status: 403, code: 'STATION_AUTH_FAILED', message })
  }
  let certificateEndMs: number | undefined
  if (station.securityProfile === 3) {
    const verdict = checkCertificate(tls!, identity, deps.now())
    if (!verdict.ok) return refuse(verdict.refusal)
    certificateEndMs = verdict.endMs
  } else {
    const refusal = await checkPassword(deps.passwords, station, handshake.password)
    if (refusal !== undefined) return refuse(refusal)
  }
  const protocol = deps.protocols.find((version) => handshake.protocols.has(version)) ?? false
  return { ok: true, station, protocol, certificateEndMs }
}

async function checkPassword(
  passwords: PasswordChecker,
  station: KnownStation,
  password: Uint8Array | undefined,
): Promise<Refusal | undefined> {
  if (password === undefined || station.passwordHash === undefined) {
    return { status: 401, code: 'STATION_AUTH_FAILED', message: 'basic auth with the station id as user is missing' }
  }
  const verdict = await passwords.check(station.id, station.passwordHash, password)
  if (verdict === 'RIGHT') return undefined
  if (verdict === 'BUSY')
    return { status: 503, code: 'STATION_AUTH_BUSY', message: 'too many stations at once; try again' }
  return { status: 401, code: 'STATION_AUTH_FAILED', message: 'wrong password' }
}

type CertificateVerdict =
  | { readonly ok: true; readonly endMs: number }
  | { readonly ok: false; readonly refusal: Refusal }

/** TLS has proven that the peer holds the key; the chain was checked against the client authorities, and the answer kept for here. */
function checkCertificate(socket: TLSSocket, identity: string, nowMs: number): CertificateVerdict {
  const fail = (code: Refusal['code'], message: string): CertificateVerdict => ({
    ok: false,
    refusal: { status: 401, code, message },
  })
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return fail('STATION_AUTH_FAILED', 'no client certificate')
  const endMs = Date.parse(certificate.validTo)
  const problem = socket.authorizationError as Error | string | null | undefined
  const reason = typeof problem === 'object' && problem !== null ? problem.message : (problem ?? '')
  if (reason === 'CERT_HAS_EXPIRED' || endMs <= nowMs) {
    return fail('ERR_AUTH_EXPIRED', `client certificate expired at ${certificate.validTo}`)
  }
  if (!socket.authorized) return fail('STATION_AUTH_FAILED', `client certificate: ${reason}`)
  if (Date.parse(certificate.validFrom) > nowMs)
    return fail('STATION_AUTH_FAILED', 'client certificate is not valid yet')
  const names = commonNames(certificate.subject)
  if (names.length !== 1 || names[0] !== identity) {
    return fail('STATION_AUTH_FAILED', `client certificate is for ${names.join(', ') || 'nobody'}, not this station`)
  }
  return { ok: true, endMs }
}

/** One attribute a line, as Node prints a subject; a `\` escapes what could be mistaken. */
function commonNames(subject: string | undefined): string[] {
  const lines = (subject ?? '').split('\n').filter((line) => line.startsWith('CN='))
  return lines.map((line) => line.slice(3).replace(/\\(.)/g, '$1'))
}
