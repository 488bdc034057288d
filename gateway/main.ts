import { createLogger, type Logger } from '../runtime/log.ts'
import { createMetrics, type Metrics } from '../runtime/metrics.ts'
import { type Component, type Service, startService } from '../runtime/service.ts'
import { StatusServer } from '../runtime/statusServer.ts'
import type { GatewayConfig } from './config.ts'
import { openCore } from './core.ts'
import { clockStatus, deliveryStatus, meteringStatus } from './coreStatus.ts'
import { operatorActions } from './operatorActions.ts'
import { OutboxStatus } from './outboxStatus.ts'
import { openSources, type Sources } from './sources.ts'
import { type GatewayStatus, gatewayStatus, unhealthy } from './status.ts'
import { statusMetrics } from './statusMetrics.ts'

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
  const core = await openCore(config, { configPath: options.configPath, log, metrics })
  const { fleet, outbox, delivery, book, webhooks, tables } = core
  let sources: Sources
  try {
    sources = openSources(config, core, { log, metrics })
  } catch (error) {
    await core.close()
    throw error
  }

  const reports = [
    fleet,
    meteringStatus(book),
    new OutboxStatus(outbox, fleet),
    deliveryStatus(delivery, core.clock.now),
    ...(core.clockCheck === undefined ? [] : [clockStatus(core.clockCheck)]),
    ...(webhooks === undefined ? [] : [webhooks]),
    ...sources.reports,
  ]
  const status = (): GatewayStatus =>
    gatewayStatus({ sources: reports, entries: tables.evses, startedAtMs, now: Date.now })
  const gauges = statusMetrics(metrics)
  const server = new StatusServer({
    ...config.http,
    metrics,
    log,
    paths: { health: '/health', status: '/v1/status' },
    problems: () => unhealthy(reports.map((source) => source.status())),
    status,
    actions: operatorActions({ book, control: sources.control, names: tables.evses.map(({ name }) => name) }),
    refresh: () => {
      outbox.refreshMetrics()
      core.clockCheck?.refreshMetrics()
      webhooks?.refreshMetrics()
      gauges(reports.map((source) => source.status()))
    },
  })

  // Stopped in reverse: first nothing comes in any more, then what is under way is written, and the store is closed last.
  const components: Component[] = [
    { name: 'core', stop: () => core.close() },
    ...(webhooks === undefined ? [] : [webhooks]),
    ...(core.clockCheck === undefined ? [] : [core.clockCheck]),
    delivery,
    book,
    ...sources.components,
    server,
  ]
  const { signal } = options
  const service = await startService({ name: 'gateway', components, log, ...(signal && { signal }) })
  log.info({ url: server.url, evses: tables.evses.length }, 'gateway runs')
  const { done, stop } = service
  return { url: server.url, status, done, stop, [Symbol.asyncDispose]: stop }
}
