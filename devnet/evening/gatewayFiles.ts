import { scryptSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Contracts } from '../../l1/contracts.ts'
import { seededEvseKey } from '../evseSigner.ts'
import type { EveningPlan } from './plan.ts'

export interface GatewayFilesOptions {
  /** For the configuration, keys and data. */
  readonly folder: string
  readonly plan: EveningPlan
  readonly lane: number
  readonly rpcUrl: string
  readonly contracts: Contracts
  readonly sequencers: readonly string[]
  readonly brokerUrl: string
  readonly ocppPort: number
  readonly httpPort: number
}

/** Of every station. It guards nothing: the evening is on loopback, and its seed is public. */
export const STATION_PASSWORD = 'an-evening-of-the-devnet'
/** A hash that costs next to nothing: after each kill every station comes back at once, and passwords are not what is tried here. */
const SCRYPT_N = 16

export const evseName = (plan: EveningPlan, evse: number): string =>
  evse < plan.size.ocppEvses ? stationName(evse) : `mqtt-${evse}`
export const stationName = (evse: number): string => `ocpp-${evse}`
export const tokenOf = (contract: number): string => `CAR-${contract}`

/** Writes what an operator would: one TOML, the fleet in CSV files beside it, and a key file for each charger that the gateway signs for. */
export function writeGatewayFiles(options: GatewayFilesOptions): string {
  const { folder, plan, lane, rpcUrl, contracts, sequencers, brokerUrl, ocppPort, httpPort } = options
  const { seed } = plan.size
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const evses = plan.scenario.evses.map((_, evse) => {
    const name = evseName(plan, evse)
    if (evse >= plan.size.ocppEvses) return [name, lane, evse, '', '', '']
    const key = Buffer.from(seededEvseKey(seed, evse).scalar).toString('hex')
    return [name, lane, evse, stationName(evse), 'file', write(`${name}.key`, `${key}\n`)]
  })
  write('evses.csv', csv(['name', 'lane', 'slot', 'station', 'signer.kind', 'signer.keyFile'], evses))
  const contractRows = plan.scenario.cars.map((_, contract) => [lane, contract, tokenOf(contract)])
  write('contracts.csv', csv(['lane', 'slot', 'tokens'], contractRows))
  write('passwords', passwords(plan))
  const addresses = Object.entries(contracts).map(
    ([name, value]) => `${name} = ${typeof value === 'number' ? value : `"${value}"`}`,
  )
  const stations = plan.scenario.evses
    .slice(0, plan.size.ocppEvses)
    .map((_, evse) => `[[ocpp.stations]]\nid = "${stationName(evse)}"\n`)
  return write(
    'gateway.toml',
    `dataDir = "${join(folder, 'gateway')}"

[l1]
rpcUrl = "${rpcUrl}"
pollMs = 100
follow = { kind = "depth", blocks = 0 }

[clock]
source = "l1"

[contracts]
${addresses.join('\n')}

[fleet]
evsesFile = "evses.csv"
contractsFile = "contracts.csv"

[[sequencers]]
lane = ${lane}
addresses = ${JSON.stringify(sequencers)}

[delivery]
firstDelaySeconds = 0.1
maxDelaySeconds = 2
holdSeconds = 1
maxHoldSeconds = 5

[metering]
recordSeconds = 300

[http]
port = ${httpPort}

[log]
level = "warn"

[mqtt]
url = "${brokerUrl}"
username = "backfeed-gateway"

[ocpp]
port = ${ocppPort}
securityProfile = 1
passwordsFile = "${join(folder, 'passwords')}"
sampleIntervalS = 0
alignedIntervalS = 0

${stations.join('\n')}`,
  )
}

function passwords(plan: EveningPlan): string {
  const salt = Buffer.from('backfeed/evening')
  const hash = scryptSync(STATION_PASSWORD, salt, 32, { N: SCRYPT_N, r: 8, p: 1 })
  const text = `scrypt$${SCRYPT_N}$8$1$${salt.toString('base64')}$${hash.toString('base64')}`
  return plan.scenario.evses
    .slice(0, plan.size.ocppEvses)
    .map((_, evse) => `${stationName(evse)} ${text}\n`)
    .join('')
}

function csv(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return `${[heading, ...rows].map((row) => row.join(',')).join('\n')}\n`
}
