import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toHex } from '../../../l1/bytes.ts'
import { proverConfigSchema } from '../../../prover/config.ts'
import { type Prover, startProver } from '../../../prover/main.ts'
import { parseConfig } from '../../../runtime/config.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { anvilPrivateKey } from '../anvil.ts'
import type { TestLane } from '../laneFixture.ts'

/** Of anvil: who proves in tests. */
export const PROVER_ACCOUNT = 4

export interface TestProver extends Prover {
  readonly dataDir: string
}

/** The real prover, with an anvil account's key and its own data directory, which `stop` leaves when it was given. */
export async function startTestProver(
  fixture: TestLane,
  options: {
    account?: number
    dataDir?: string
    beacon?: string
    rpc?: string
    depth?: number
    attest?: { secret: Uint8Array; peers: readonly string[]; turnMs?: number }
  } = {},
): Promise<TestProver> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'backfeed-prover-'))
  const keyFile = join(dataDir, 'key')
  if (options.account !== undefined) writeFileSync(keyFile, anvilPrivateKey(options.account), { mode: 0o600 })
  const blsKeyFile = join(dataDir, 'bls')
  if (options.attest !== undefined) writeFileSync(blsKeyFile, toHex(options.attest.secret), { mode: 0o600 })
  const { url } = fixture.anvil
  const config = parseConfig(proverConfigSchema, {
    l1: { rpcUrl: options.rpc ?? url, retryCount: 0, beacon: [{ url: options.beacon ?? url, blockId: 'number' }] },
    contracts: fixture.contracts,
    prover: {
      dataDir,
      ...(options.account === undefined ? {} : { keyFile }),
      follow: { kind: 'depth', blocks: options.depth ?? 0 },
      pollMs: 50,
      retryMs: 100,
      workers: 1,
    },
    ...(options.attest === undefined
      ? {}
      : {
          attest: {
            keyFile: blsKeyFile,
            listen: ['/ip4/127.0.0.1/tcp/0'],
            peers: options.attest.peers,
            tellMs: 5_000,
            turnMs: options.attest.turnMs ?? 500,
          },
        }),
    transactions: { finality: { kind: 'depth', blocks: 1 }, pollMs: 50, lowBalanceEther: 0 },
    http: { port: 0 },
  })
  const log = silentLogger()
  const prover = await startProver(config, { log, metrics: createMetrics({ service: 'prover', process: false }) })
  const stop = async (): Promise<void> => {
    await prover.stop()
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true })
  }
  const { url: ownUrl, status, idle, done } = prover
  return { url: ownUrl, status, idle, done, dataDir, stop, [Symbol.asyncDispose]: stop }
}
