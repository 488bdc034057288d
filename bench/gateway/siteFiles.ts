import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seededEvseKey } from '../../devnet/evseSigner.ts'
import { hashPassword } from '../../gateway/ocpp/passwords.ts'
import type { Contracts } from '../../l1/contracts.ts'

export interface SiteFiles {
  readonly folder: string
  readonly seed: string
  readonly lane: number
  /** All at OCPP stations; the first `watched` send telemetry by MQTT too, and have a guard. */
  readonly evses: number
  readonly watched: number
  readonly rpcUrl: string
  readonly contracts: Contracts
  readonly sequencers: readonly string[]
  readonly brokerUrl: string
  readonly vtnUrl: string
  readonly ocppPort: number
  readonly httpPort: number
}

export const STATION_PASSWORD = 'a-station-of-the-benchmark'
export const stationName = (evse: number): string => `station-${evse}`
export const evseName = (evse: number): string => `evse-${evse}`
export const tokenOf = (contract: number): string => `CAR-${contract}`

/**
 * A gateway as it is delivered, but for what makes a trial quick: power comes back at once, and records are of 15 seconds, so that as many messages
 * make a record as do when stations report each minute.
 */
export async function writeSiteFiles(site: SiteFiles): Promise<string> {
  const { folder, seed, lane, evses, watched, contracts } = site
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const all = Array.from({ length: evses }, (_, evse) => evse)
  const rows = all.map((evse) => {
    const key = Buffer.from(seededEvseKey(seed, evse).scalar).toString('hex')
    const keyFile = write(`${evseName(evse)}.key`, `${key}\n`)
    return [evseName(evse), lane, evse, stationName(evse), 'file', keyFile, evse < watched ? 'mqtt' : 'none'].join(',')
  })
  write('evses.csv', `${['name,lane,slot,station,signer.kind,signer.keyFile,telemetry', ...rows].join('\n')}\n`)
  write('contracts.csv', `lane,slot,tokens\n${all.map((slot) => `${lane},${slot},${tokenOf(slot)}\n`).join('')}`)
  // The same for all, at the full cost of checking it.
  const hash = await hashPassword(STATION_PASSWORD)
  write('passwords', all.map((evse) => `${stationName(evse)} ${hash}\n`).join(''))
  const addresses = Object.entries(contracts).map(
    ([name, value]) => `${name} = ${typeof value === 'number' ? value : `"${value}"`}`,
  )
  return write(
    'gateway.toml',
    `dataDir = "${join(folder, 'gateway')}"

[l1]
rpcUrl = "${site.rpcUrl}"
follow = { kind = "depth", blocks = 0 }

[contracts]
${addresses.join('\n')}

[fleet]
evsesFile = "evses.csv"
contractsFile = "contracts.csv"

[[sequencers]]
lane = ${lane}
addresses = ${JSON.stringify(site.sequencers)}

[delivery]
holdSeconds = 1
maxHoldSeconds = 5

[metering]
recordSeconds = 15

[http]
port = ${site.httpPort}

[log]
level = "warn"

[mqtt]
url = "${site.brokerUrl}"
username = "backfeed-gateway"

[ocpp]
port = ${site.ocppPort}
securityProfile = 1
passwordsFile = "${join(folder, 'passwords')}"

${all.map((evse) => `[[ocpp.stations]]\nid = "${stationName(evse)}"\n`).join('\n')}
[control.guard]
rampUpWPerS = 1_000_000
rampStepMs = 50
contactorDwellMs = 0

[control.guard.telemetry]
resumeAfterMs = 100

[[grid.openadr]]
name = "vtn"
url = "${site.vtnUrl}"
setpointSign = "export-positive"
pricesOpenGate = false

[[grid.demand]]
source = "vtn"
watts = "each"
`,
  )
}
