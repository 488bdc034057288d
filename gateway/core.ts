import { join } from 'node:path'
import { ReceiptVerifier } from '../client/receiptVerifier.ts'
import type { RecordClient } from '../client/recordClient.ts'
import { Delivery } from '../evse/delivery/delivery.ts'
import { openTargets } from '../evse/delivery/targets.ts'
import { type MeterBook, openMeterBook } from '../evse/metering/meterBook.ts'
import { type LevelOutbox, openOutbox } from '../evse/outbox/levelOutbox.ts'
import type { RowQueue } from '../evse/outbox/outbox.ts'
import { createSignerMetrics } from '../evse/signer/signerMetrics.ts'
import type { EdgeStore } from '../evse/store/edgeStore.ts'
import { openEdgeStore } from '../evse/store/levelStore.ts'
import { connectL1, type L1Client } from '../l1/client.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import type { Logger } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { ClockCheck } from '../evse/clock/clockCheck.ts'
import { type GatewayClock, gatewayClock, openClockCheck } from './clock.ts'
import type { GatewayConfig } from './config.ts'
import { Fleet } from './fleet/fleet.ts'
import { meteredEvses } from './fleet/meteredEvses.ts'
import { recordSigning } from './fleet/recordSigning.ts'
import { openFleetSigners } from './fleet/signing.ts'
import { type FleetTables, readFleetTables } from './fleet/tables.ts'
import { openSessionWebhooks, type SessionWebhooks } from './webhooks/sessionWebhooks.ts'

/** What every source stands on: the way of a metered watt-hour from the book to the sequencer's receipt. */
export interface GatewayCore {
  readonly tables: FleetTables
  readonly client: L1Client
  readonly clock: GatewayClock
  /** Started: it has read L1. */
  readonly fleet: Fleet
  readonly store: EdgeStore
  readonly outbox: LevelOutbox
  /** To be started. */
  readonly delivery: Delivery
  readonly book: MeterBook
  /** To be started. Undefined: none are configured. */
  readonly webhooks: SessionWebhooks | undefined
  /** Watches the wall clock; to be started before anything is signed. Undefined: L1's clock is gone by. */
  readonly clockCheck: ClockCheck | undefined
  close(): Promise<void>
}

export interface CoreParts {
  readonly configPath: string | undefined
  readonly log: Logger
  readonly metrics: Metrics
}

/**
 * Opens all of it, and closes what was opened when something is missing.
 * @throws BackfeedError CONFIG_INVALID, L1_UNREACHABLE, LANE_NOT_P256, SIGNERS_FAILED, KEY_NOT_REGISTERED, STORE_LOCKED, WRONG_STORE, DATA_CORRUPTED,
 * WEBHOOK_SECRET_UNREADABLE
 */
export async function openCore(config: Readonly<GatewayConfig>, parts: CoreParts): Promise<GatewayCore> {
  const { log, metrics } = parts
  const { contracts } = config
  const tables = readFleetTables(config.fleet, parts.configPath)
  const client = await connectL1(config.l1)
  const chainId = client.chain.id
  await using opened = new AsyncDisposableStack()

  const clock: GatewayClock = gatewayClock(config.clock, () => fleet)
  const { now, monotonicMs } = clock
  const fleet: Fleet = new Fleet({
    tables,
    client,
    contracts,
    finality: config.l1.follow,
    pollMs: config.l1.pollMs,
    positionMaxAgeMs: config.fleet.positionMaxAgeSeconds * 1_000,
    now,
    monotonicMs,
    log,
  })
  opened.defer(() => fleet.stop())
  await fleet.start()

  const signers = await openFleetSigners(tables.evses, fleet, { now, log, metrics: createSignerMetrics(metrics) })
  for (const [name, signer] of signers) {
    opened.use(signer)
    fleet.bindSigner(name, signer.publicKey)
  }

  const store = opened.use(await openEdgeStore(join(config.dataDir, 'store'), { chainId, rollup: contracts.rollup }))
  const outbox = await openOutbox({ store, maxBytes: config.outbox.maxBytes, now, log, metrics })
  const receipts = new ReceiptVerifier({
    chainId: BigInt(chainId),
    rollup: contracts.rollup,
    operatorOf: (lane) => fleet.operatorOf(lane),
    now: () => Math.floor(now() / 1_000),
  })
  const clients = await openLaneClients(config, receipts, opened)
  for (const { name, lane } of tables.evses) {
    if (clients.has(lane)) continue
    const message = `sequencers: none is given for lane ${lane} of EVSE ${name}`
    throw new BackfeedError('CONFIG_INVALID', message, { exitCode: ExitCode.usage })
  }
  const nameOfSlot = new Map(tables.evses.map(({ name, lane, slot }) => [`${lane}/${slot}`, name]))
  const nameOf = ({ lane, evse }: RowQueue): string | undefined => nameOfSlot.get(`${lane}/${evse}`)
  const delivery = new Delivery({
    outbox,
    clients,
    config: config.delivery,
    nameOf,
    now,
    monotonicMs,
    log,
    metrics,
  })
  const clockCheck = openClockCheck(config.clock, { store, now, monotonicMs, log, metrics })
  const webhooks = await openSessionWebhooks({
    configs: config.webhooks,
    store,
    outbox,
    directory: fleet,
    deployment: { chainId, rollup: contracts.rollup },
    log,
    metrics,
  })
  opened.defer(() => webhooks?.stop())
  const book = await openMeterBook({
    config: config.metering,
    evse: meteredEvses(tables, fleet),
    nameOf,
    capacityWh: (lane, contract) => fleet.contract(lane, contract)?.capacityWh,
    store,
    outbox,
    ...(webhooks && { accounts: webhooks.accounts }),
    signRecord: recordSigning({ directory: fleet, signers, chainId: BigInt(chainId), rollup: contracts.rollup }),
    now,
    monotonicMs,
    isClockTrusted: () => (clockCheck === undefined ? fleet.head !== undefined : clockCheck.isTrusted()),
    log,
    metrics,
  })

  await webhooks?.open(book)

  const kept = opened.move()
  const close = async (): Promise<void> => await kept.disposeAsync()
  return { tables, client, clock, fleet, store, outbox, delivery, book, webhooks, clockCheck, close }
}

async function openLaneClients(
  { sequencers }: Readonly<GatewayConfig>,
  receipts: ReceiptVerifier,
  opened: AsyncDisposableStack,
): Promise<ReadonlyMap<number, readonly RecordClient[]>> {
  const clients = new Map<number, readonly RecordClient[]>()
  for (const { lane, addresses } of sequencers) {
    if (clients.has(lane)) {
      throw new BackfeedError('CONFIG_INVALID', `sequencers: lane ${lane} is there twice`, { exitCode: ExitCode.usage })
    }
    const targets = await openTargets(addresses, { receipts })
    for (const target of targets) opened.use(target)
    clients.set(lane, targets)
  }
  return clients
}
