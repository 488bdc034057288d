import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { Directory } from '../fleet/directory.ts'
import type { KnownStation } from './admission.ts'
import type { OcppConfig } from './config.ts'
import { parsePasswordHash, readPasswordsFile } from './passwords.ts'

/**
 * Who may connect and how, checked as a whole: what is missing is said at the start and not when a station knocks.
 * @throws BackfeedError CONFIG_INVALID naming the key; CONFIG_UNREADABLE, ERR_AUTH_EXPIRED for the passwords file
 */
export function knownStations(config: OcppConfig): Map<string, KnownStation> {
  const passwords =
    config.passwordsFile === undefined ? new Map<string, string>() : readPasswordsFile(config.passwordsFile)
  const stations = new Map<string, KnownStation>()
  for (const [index, entry] of config.stations.entries()) {
    const key = `ocpp.stations[${index}] (${entry.id})`
    if (stations.has(entry.id)) throw invalid(`${key}: this id is there twice`)
    const securityProfile = entry.securityProfile ?? config.securityProfile
    if (securityProfile > 1 && config.tls === undefined) {
      throw invalid(`${key}: security profile ${securityProfile} needs ocpp.tls`)
    }
    if (
      securityProfile === 1 &&
      config.tls !== undefined &&
      config.plainPort === undefined &&
      config.securityProfile > 1
    ) {
      throw invalid(`${key}: security profile 1 beside TLS needs ocpp.plainPort`)
    }
    if (securityProfile === 3 && config.tls?.clientCaFile === undefined) {
      throw invalid(`${key}: security profile 3 needs ocpp.tls.clientCaFile`)
    }
    const passwordHash = entry.passwordHash ?? passwords.get(entry.id)
    if (securityProfile < 3 && passwordHash === undefined) {
      throw invalid(`${key}: no passwordHash, and no line in ocpp.passwordsFile`)
    }
    if (passwordHash !== undefined && parsePasswordHash(passwordHash) === undefined) {
      throw invalid(`${key}: passwordHash is not scrypt$N$r$p$salt$hash`)
    }
    const { id, discharge, variables } = entry
    stations.set(id, { id, securityProfile, passwordHash, discharge, variables })
  }
  return stations
}

/** @throws BackfeedError CONFIG_INVALID: an EVSE's station may not connect */
export function checkStationsOfEvses(stations: ReadonlyMap<string, KnownStation>, directory: Directory): void {
  for (const { name, ocpp } of directory.evses) {
    if (ocpp !== undefined && !stations.has(ocpp.station)) {
      throw invalid(`EVSE ${name}: its station ${ocpp.station} is not in ocpp.stations`)
    }
  }
}

function invalid(message: string): BackfeedError {
  return new BackfeedError('CONFIG_INVALID', message, { exitCode: ExitCode.usage })
}
