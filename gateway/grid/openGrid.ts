import { join } from 'node:path'
import type { L1Client } from '../../l1/client.ts'
import type { Contracts } from '../../l1/contracts.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component } from '../../runtime/service.ts'
import type { DemandSink } from '../control/demand.ts'
import type { ReportsStatus } from '../sourceStatus.ts'
import type { GridConfig } from './config.ts'
import { DemandFeed } from './demand/demandFeed.ts'
import type { RatedEvse } from './demand/wanted.ts'
import { openPriceFeed } from './feed/priceFeed.ts'
import { gridMetrics } from './gridMetrics.ts'
import { openIeee20305 } from './ieee20305/source.ts'
import type { GridSource } from './model/gridSource.ts'
import { openOpenadr } from './openadr/source.ts'
import { TariffPublisher } from './publisher/publisher.ts'

export interface GridDeps {
  readonly client: L1Client
  readonly contracts: Pick<Contracts, 'tariff' | 'registry'>
  /** Of the gateway; the publisher's transactions are kept in `publisher/` under it. */
  readonly dataDir: string
  /** The fleet as it is now, for sharing out what events ask for. */
  readonly evses: () => readonly RatedEvse[]
  readonly demand: DemandSink
  readonly log: Logger
  readonly metrics: Metrics
  /** Milliseconds since the epoch, by the clock that L1's blocks follow. */
  readonly now: () => number
}

export interface Grid {
  /** In the order of start. */
  readonly components: readonly Component[]
  readonly reports: readonly ReportsStatus[]
  readonly sources: ReadonlyMap<string, GridSource>
  /** Undefined: not configured. */
  readonly publisher: TariffPublisher | undefined
}

/** Sources of grid events and prices, the publisher of prices, and what the events ask of EVSEs. Nothing runs before the start. */
export function openGrid(config: GridConfig, deps: GridDeps): Grid {
  const { log, now } = deps
  const common = { log, now, metrics: gridMetrics(deps.metrics) }
  const list: GridSource[] = [
    ...config.ieee20305.map((source) => openIeee20305(source, common)),
    ...config.openadr.map((source) => openOpenadr(source, common)),
    ...config.feeds.map((source) => openPriceFeed(source, common)),
  ]
  const sources = new Map(list.map((source) => [source.name, source]))
  const publisher =
    config.publisher === undefined
      ? undefined
      : new TariffPublisher(config.publisher, {
          client: deps.client,
          contracts: deps.contracts,
          dataDir: join(deps.dataDir, 'publisher'),
          sources: list,
          log,
          metrics: deps.metrics,
          now,
        })
  const demand =
    config.demand.length === 0
      ? undefined
      : new DemandFeed(config.demand, { sources, evses: deps.evses, sink: deps.demand, log, now })
  // What listens starts first, and so stops last.
  const parts = [publisher, demand, ...list].filter((part) => part !== undefined)
  return { components: parts, reports: parts, sources, publisher }
}
