import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Contracts } from '../l1/contracts.ts'
import { proverConfigSchema } from '../prover/config.ts'
import { type Prover, startProver } from '../prover/main.ts'
import { parseConfig } from '../runtime/config.ts'
import { createLogger, type Logger, type LogLevel } from '../runtime/log.ts'
import { createMetrics } from '../runtime/metrics.ts'
import { sequencerConfigSchema } from '../sequencer/config.ts'
import { type Sequencer, startSequencer } from '../sequencer/main.ts'
import type { DevnetAccounts } from './accounts.ts'
import type { L1Node } from './l1Node.ts'

export interface ServiceOptions {
  readonly node: L1Node
  readonly contracts: Contracts
  readonly lanes: readonly number[]
  readonly accounts: DevnetAccounts
  /** Keys and data; removed by the caller. */
  readonly folder: string
  readonly data: 'blob' | 'calldata'
  readonly logLevel: LogLevel
}

/** A batch is dated this far ahead of the chain's clock; the devnet then moves the clock past it. */
const AS_OF_AHEAD_SECONDS = 30
/** One machine, no propagation: looking often costs next to nothing. */
const POLL_MS = 20
/** The node's blocks never go back; but a batch pins a final block, whose hash a contract sees only from the next block on. */
const ONE_DEEP = { kind: 'depth', blocks: 1 } as const
const NEWEST = { kind: 'depth', blocks: 0 } as const

export async function startDevnetSequencer(options: ServiceOptions): Promise<Sequencer> {
  const { node, contracts, lanes, accounts, folder, data } = options
  const config = parseConfig(sequencerConfigSchema, {
    dataFolder: join(folder, 'sequencer'),
    lanes: [...lanes],
    operatorKeyFile: writeKey(folder, 'operator.key', accounts.laneOperatorKey),
    clock: 'l1',
    l1: { rpcUrl: node.url, pollMs: POLL_MS },
    contracts,
    transactions: { finality: ONE_DEEP, pollMs: POLL_MS },
    batch: { data, maxAgeSeconds: 3_600, asOfAheadSeconds: AS_OF_AHEAD_SECONDS },
    http: { port: 0 },
    admin: { port: 0 },
    libp2p: { listen: ['/ip4/127.0.0.1/tcp/0'] },
  })
  const log = loggerOf('sequencer', options.logLevel)
  return await startSequencer(config, { log, metrics: createMetrics({ service: 'sequencer', process: false }) })
}

export async function startDevnetProver(options: ServiceOptions): Promise<Prover> {
  const { node, contracts, accounts, folder } = options
  const config = parseConfig(proverConfigSchema, {
    l1: { rpcUrl: node.url, beacon: [{ url: node.url, blockId: 'number' }] },
    contracts,
    prover: {
      dataDir: join(folder, 'prover'),
      keyFile: writeKey(folder, 'prover.key', accounts.proverKey),
      follow: NEWEST,
      pollMs: POLL_MS,
      workers: 1,
    },
    transactions: { finality: ONE_DEEP, pollMs: POLL_MS },
    http: { port: 0 },
  })
  const log = loggerOf('prover', options.logLevel)
  return await startProver(config, { log, metrics: createMetrics({ service: 'prover', process: false }) })
}

function writeKey(folder: string, name: string, key: string): string {
  const path = join(folder, name)
  writeFileSync(path, key, { mode: 0o600 })
  return path
}

/** Standard output is the run's own. */
function loggerOf(service: string, level: LogLevel): Logger {
  return createLogger({ service, level, destination: process.stderr })
}
