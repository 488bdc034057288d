import { join } from 'node:path'
import { openOutbox } from '../evse/outbox/levelOutbox.ts'
import { createSignerMetrics } from '../evse/signer/signerMetrics.ts'
import { openEdgeStore } from '../evse/store/levelStore.ts'
import { connectL1 } from '../l1/client.ts'
import { createLogger, type Logger } from '../runtime/log.ts'
import { createMetrics, type Metrics } from '../runtime/metrics.ts'
import { type Component, type Service, startService } from '../runtime/service.ts'
import { StatusServer } from '../runtime/statusServer.ts'
import type { GatewayConfig } from './config.ts'
import { Fleet } from './fleet/fleet.ts'
import { openFleetSigners } from './fleet/signing.ts'
import { readFleetTables } from './fleet/tables.ts'
import { OutboxStatus } from './outboxStatus.ts'
import { type GatewayStatus, gatewayStatus, unhealthy } from './status.ts'

export interface Gateway extends Service {
  /** Of health, status and metrics. */
  readonly url: string
  status(): GatewayStatus
}

export interface GatewayOptions {
  readonly signal?: AbortSignal
  readonly log?: Logger
  /** Given when several services share a process. */
  readonly metrics?: Metrics
  /** Of the configuration file, which the fleet's files are looked for beside. */
  readonly configPath?: string
}

/** Starts a gateway; resolves when every source runs. Everything is wired here, in the order in which it runs. */
export async function startGateway(config: Readonly<GatewayConfig>, options: GatewayOptions = {}): Promise<Gateway> {
  const log = options.log ?? createLogger({ service: 'gateway', level: config.log.level })
  const metrics = options.metrics ?? createMetrics({ service: 'gateway' })
  const startedAtMs = Date.now()
  const now = (): number => Date.now()
  const monotonicMs = (): number => performance.now()
  const tables = readFleetTables(config.fleet, options.configPath)
  const client = await connectL1(config.l1)
  const { contracts } = config
  const chainId = client.chain.id
  await using opened = new AsyncDisposableStack()

  const fleet = new Fleet({
    tables,
    client,
    contracts,
    finality: config.l1.follow,
    pollMs: config.l1.pollMs,
    positionMaxAgeMs: config.fleet.positionMaxAgeSeconds * 1000,
    now,
    monotonicMs,
    log,
  })
  const signers = await openFleetSigners(tables.evses, fleet, { now, log, metrics: createSignerMetrics(metrics) })
  for (const signer of signers.values()) opened.use(signer)
  const store = opened.use(await openEdgeStore(join(config.dataDir, 'store'), { chainId, rollup: contracts.rollup }))
  const outbox = await openOutbox({ store, maxBytes: 1e9, now, log, metrics })

  const sources = [fleet, new OutboxStatus(outbox, fleet)]
  const status = (): GatewayStatus => gatewayStatus({ sources, entries: tables.evses, startedAtMs, now })
  const server = new StatusServer({
    ...config.http,
    metrics,
    paths: { health: '/health', status: '/v1/status' },
    problems: () => unhealthy(sources.map((source) => source.status())),
    status,
    refresh: () => outbox.refreshMetrics(),
  })

  const resources = opened.move()
  const components: Component[] = [
    { name: 'store', stop: () => resources.disposeAsync() },
    fleet,
    {
      name: 'signers',
      start: () => {
        for (const [name, { publicKey }] of signers) fleet.bindSigner(name, publicKey)
      },
    },
    server,
  ]
  const { signal } = options
  const service = await startService({ name: 'gateway', components, log, ...(signal && { signal }) })
  log.info({ url: server.url, evses: tables.evses.length }, 'gateway runs')
  const { done, stop } = service
  return { url: server.url, status, done, stop, [Symbol.asyncDispose]: stop }
}
