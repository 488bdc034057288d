import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseConfig } from '../../runtime/config.ts'
import { type SequencerConfig, sequencerConfigSchema } from '../../sequencer/config.ts'
import type { TestLane } from './laneFixture.ts'

export interface SequencerFixtureOptions {
  readonly folder: string
  readonly data?: 'blob' | 'calldata'
  readonly batch?: Partial<SequencerConfig['batch']>
  readonly commit?: Partial<SequencerConfig['commit']>
  readonly libp2p?: boolean
}

/** A sequencer for a test lane, as a file would configure it: free ports, the chain's clock, every block final. */
export function sequencerSettings(lane: TestLane, options: SequencerFixtureOptions): Record<string, unknown> {
  const keyFile = join(options.folder, 'operator.key')
  writeFileSync(keyFile, lane.operatorKey, { mode: 0o600 })
  return {
    dataFolder: join(options.folder, 'sequencer'),
    lanes: [lane.lane],
    operatorKeyFile: keyFile,
    logLevel: process.env.TEST_LOG ?? 'silent',
    clock: 'l1',
    l1: {
      rpcUrl: lane.anvil.url,
      pollMs: 50,
      beacon: [{ url: lane.anvil.url, blockId: 'number' }],
    },
    contracts: lane.contracts,
    transactions: { finality: { kind: 'depth', blocks: 1 }, pollMs: 50, rebroadcastMs: 1_000, lowBalanceEther: 0 },
    verify: { workers: 1, slabs: 32 },
    batch: { data: options.data ?? 'calldata', ...options.batch },
    commit: { retryMs: 100, ...options.commit },
    http: { port: 0 },
    admin: { port: 0 },
    libp2p: { enabled: options.libp2p ?? false, listen: ['/ip4/127.0.0.1/tcp/0'] },
  }
}

export function sequencerConfig(lane: TestLane, options: SequencerFixtureOptions): SequencerConfig {
  return parseConfig(sequencerConfigSchema, sequencerSettings(lane, options)) as SequencerConfig
}
