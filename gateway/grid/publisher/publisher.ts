import { join } from 'node:path'
import { errorsAbi } from '../../../l1/abi/errors.ts'
import { accountFromKeyFile, type L1Client } from '../../../l1/client.ts'
import type { Contracts } from '../../../l1/contracts.ts'
import { type LevelTxStore, openLevelTxStore } from '../../../l1/txManager/levelStore.ts'
import { TxManager } from '../../../l1/txManager/manager.ts'
import { txPolicy } from '../../../l1/txManager/txPolicy.ts'
import { describeError, isBackfeedError } from '../../../runtime/errors.ts'
import type { Logger } from '../../../runtime/log.ts'
import type { Metrics } from '../../../runtime/metrics.ts'
import { PokableTimer } from '../../../runtime/pokableTimer.ts'
import type { Component, ComponentContext } from '../../../runtime/service.ts'
import type { ReportsStatus, SourceStatus } from '../../sourceStatus.ts'
import type { GridSource } from '../model/gridSource.ts'
import type { PublisherConfig } from './config.ts'
import { publisherMetrics } from './publisherMetrics.ts'
import { ZonePublisher } from './zonePublisher.ts'

export interface PublisherDeps {
  readonly client: L1Client
  readonly contracts: Pick<Contracts, 'tariff' | 'registry'>
  /** Transactions under way are kept in it. */
  readonly dataDir: string
  readonly sources: readonly GridSource[]
  readonly log: Logger
  readonly metrics: Metrics
  /** Milliseconds since the epoch, by the clock that L1's blocks follow. */
  readonly now: () => number
}

/**
 * Writes the zones' prices to L1's Tariff ahead of time (docs/protocol.md §5). A period's price may be set and corrected until 30 min before it
 * starts: an event that is cancelled before that is taken back, one that is cancelled later is paid as announced.
 */
export class TariffPublisher implements Component, ReportsStatus {
  readonly name = 'tariffPublisher'
  readonly #config: PublisherConfig
  readonly #deps: PublisherDeps
  readonly #log: Logger
  readonly #stopping = new AbortController()
  readonly #timers: PokableTimer[] = []
  #store: LevelTxStore | undefined
  #manager: TxManager | undefined
  #zones: ZonePublisher[] = []
  #running: Promise<void> | undefined
  #unlisten: (() => void)[] = []
  #balanceWei: bigint | undefined

  constructor(config: PublisherConfig, deps: PublisherDeps) {
    this.#config = config
    this.#deps = deps
    this.#log = deps.log.child({ stage: 'tariff' })
  }

  /**
   * @throws BackfeedError NOT_PUBLISHER when L1 says that another account publishes for a zone. An L1 that does not answer is waited for:
   * the gateway meters without it.
   */
  async start(context: Pick<ComponentContext, 'fail'>): Promise<void> {
    const { client, contracts, dataDir, sources, log, metrics, now } = this.#deps
    const account = accountFromKeyFile(this.#config.keyFile)
    this.#store = await openLevelTxStore(join(dataDir, 'transactions'))
    this.#manager = new TxManager({
      client,
      account,
      store: this.#store,
      policy: txPolicy(this.#config.transactions),
      log,
      metrics,
      abi: errorsAbi,
    })
    const sender = this.#manager
    const pictures = () => new Map(sources.map((source) => [source.name, source.picture()]))
    const zoneMetrics = publisherMetrics(metrics)
    const deps = { client, contracts, sender, pictures, log, metrics: zoneMetrics, now }
    this.#zones = this.#config.zones.map((zone) => new ZonePublisher(this.#config, zone, deps))
    for (const zone of this.#zones) await this.#checkRole(zone)
    await this.#manager.start(context)
    const loops = this.#zones.map((zone) => this.#run(zone))
    this.#running = Promise.all(loops).then(
      () => undefined,
      (error: unknown) => context.fail(error),
    )
    for (const source of sources) this.#unlisten.push(source.onChange(() => this.poke()))
  }

  async stop(): Promise<void> {
    for (const unlisten of this.#unlisten) unlisten()
    this.#stopping.abort()
    await this.#manager?.stop()
    await this.#running
    await this.#store?.close()
  }

  /** Compare now: for sources that changed, and for clocks that were moved. */
  poke(): void {
    for (const timer of this.#timers) timer.poke()
    this.#manager?.poke()
  }

  status(): SourceStatus {
    const problems = this.#zones.flatMap((zone) => zone.problems())
    const lowWei = BigInt(Math.round(this.#config.transactions.lowBalanceEther * 1e9)) * 1_000_000_000n
    if (this.#balanceWei !== undefined && this.#balanceWei < lowWei) {
      const ether = Number(this.#balanceWei) / 1e18
      problems.push({
        code: 'BALANCE_LOW',
        message: `the publisher's account ${this.#manager?.address} holds ${ether} ether`,
      })
    }
    const isDown = this.#zones.length === 0 || this.#zones.some((zone) => zone.isDown)
    return {
      name: 'grid.publisher',
      state: isDown ? 'DOWN' : problems.length > 0 ? 'DEGRADED' : 'UP',
      figures: Object.assign({}, ...this.#zones.map((zone) => zone.figures())),
      problems,
    }
  }

  async #checkRole(zone: ZonePublisher): Promise<void> {
    try {
      await zone.checkRole()
    } catch (error) {
      if (!isBackfeedError(error) || !error.retryable) throw error
      this.#log.warn({ err: error, zone: zone.zone }, `waiting for L1: ${describeError(error)}`)
    }
  }

  async #run(zone: ZonePublisher): Promise<void> {
    const { signal } = this.#stopping
    const timer = new PokableTimer(signal)
    this.#timers.push(timer)
    while (!signal.aborted) {
      const outcome = await zone.look()
      // Goes on looking while transactions wait, since alarms must not wait with them.
      if (outcome === 'writing') void zone.settled().then((hasAll) => hasAll && timer.poke())
      await this.#readBalance()
      await timer.pause(this.#config.pollSeconds * 1000)
    }
  }

  async #readBalance(): Promise<void> {
    const { client } = this.#deps
    try {
      if (this.#manager !== undefined) this.#balanceWei = await client.getBalance({ address: this.#manager.address })
    } catch {
      // The look itself reports an L1 that does not answer; the balance known last stands.
    }
  }
}
