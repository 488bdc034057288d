import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'smol-toml'
import type { Contracts } from '../../l1/contracts.ts'
import { seededEvseKey } from '../evseSigner.ts'

/** An EVSE of the lane; its slot is its place in the list. */
export interface GatewayEvse {
  readonly name: string
  /** Of its OCPP station: the gateway then signs for it. Absent: it signs by itself. */
  readonly station?: string
  readonly telemetry?: 'mqtt' | 'none'
}

export interface GatewayFiles {
  /** For the configuration, keys and data. */
  readonly folder: string
  /** Of the EVSEs' keys. */
  readonly seed: string
  readonly lane: number
  readonly evses: readonly GatewayEvse[]
  /** By the contract's slot. */
  readonly tokens: readonly string[]
  /** Of every station. */
  readonly passwordHash: string
  readonly rpcUrl: string
  readonly contracts: Contracts
  readonly sequencers: readonly string[]
  readonly brokerUrl: string
  readonly ocppPort: number
  readonly httpPort: number
  /** Who is told of sessions. */
  readonly backOffice?: { readonly url: string; readonly secret: string }
}

export type Settings = Readonly<Record<string, unknown>>

/**
 * Writes what an operator would: one TOML, the fleet in CSV files beside it, and a key file for each EVSE that the gateway signs for.
 * `more` adds keys to a section, or a section. Returns the TOML's path.
 */
export function writeGatewayFiles(files: GatewayFiles, more: Readonly<Record<string, Settings>>): string {
  const { folder, seed, lane, evses, tokens, passwordHash, backOffice } = files
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text, { mode: 0o600 })
    return path
  }
  const rows = evses.map(({ name, station = '', telemetry = '' }, slot) => {
    if (station === '') return [name, lane, slot, '', '', '', telemetry]
    const key = Buffer.from(seededEvseKey(seed, slot).scalar).toString('hex')
    return [name, lane, slot, station, 'file', write(`${name}.key`, `${key}\n`), telemetry]
  })
  write('evses.csv', csv(['name', 'lane', 'slot', 'station', 'signer.kind', 'signer.keyFile', 'telemetry'], rows))
  const contracts = tokens.map((token, slot) => [lane, slot, token])
  write('contracts.csv', csv(['lane', 'slot', 'tokens'], contracts))
  const stations = evses.flatMap(({ station }) => station ?? [])
  write('passwords', stations.map((station) => `${station} ${passwordHash}\n`).join(''))
  const sections: Record<string, Settings> = {
    l1: { rpcUrl: files.rpcUrl, follow: { kind: 'depth', blocks: 0 } },
    contracts: { ...files.contracts },
    fleet: { evsesFile: 'evses.csv', contractsFile: 'contracts.csv' },
    delivery: { holdSeconds: 1, maxHoldSeconds: 5 },
    http: { port: files.httpPort },
    log: { level: 'warn' },
    mqtt: { url: files.brokerUrl, username: 'backfeed-gateway' },
    ocpp: {
      port: files.ocppPort,
      securityProfile: 1,
      passwordsFile: join(folder, 'passwords'),
      stations: stations.map((id) => ({ id })),
    },
  }
  for (const [name, settings] of Object.entries(more)) sections[name] = { ...sections[name], ...settings }
  return write(
    'gateway.toml',
    stringify({
      dataDir: join(folder, 'gateway'),
      sequencers: [{ lane, addresses: files.sequencers }],
      ...(backOffice && {
        webhooks: [
          {
            name: 'back-office',
            url: backOffice.url,
            secretFiles: [write('back-office.secret', `${backOffice.secret}\n`)],
            firstDelayMs: 20,
            maxDelayMs: 500,
          },
        ],
      }),
      ...sections,
    }),
  )
}

function csv(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return `${[heading, ...rows].map((row) => row.join(',')).join('\n')}\n`
}
