import { join } from 'node:path'
import { ReceiptVerifier } from '../client/receiptVerifier.ts'
import type { RecordClient } from '../client/recordClient.ts'
import { BackfeedError } from '../runtime/errors.ts'
import { createLogger, type Logger } from '../runtime/log.ts'
import { createMetrics, type Metrics } from '../runtime/metrics.ts'
import { type Component, type Service, startService } from '../runtime/service.ts'
import { StatusServer } from '../runtime/statusServer.ts'
import { type AgentStatus, agentStatus } from './agentStatus.ts'
import { recordSigning } from './agentSigning.ts'
import { ClockCheck } from './clock/clockCheck.ts'
import { clockGated } from './clock/clockGate.ts'
import type { TimeSource } from './clock/timeSource.ts'
import type { EvseConfig } from './config.ts'
import { ContractBook } from './contractBook.ts'
import { Delivery } from './delivery/delivery.ts'
import { openTargets } from './delivery/targets.ts'
import { VehicleReadings } from './evidence/vehicleReadings.ts'
import type { CommandPort } from './guard/commandPort.ts'
import type { Telemetry } from './guard/telemetry.ts'
import { HardwareGuard } from './hardwareGuard.ts'
import { openMeterBook } from './metering/meterBook.ts'
import type { MeterEvent, TakeResult } from './metering/meterEvent.ts'
import { openMqttAgent } from './mqtt/mqttAgent.ts'
import { openOutbox } from './outbox/levelOutbox.ts'
import type { AnsweredRow } from './outbox/outbox.ts'
import type { Position } from './position/geofence.ts'
import { OwnPosition } from './position/ownPosition.ts'
import { openSigner } from './signer/openSigner.ts'
import { createSignerMetrics } from './signer/signerMetrics.ts'
import { openEdgeStore } from './store/levelStore.ts'

export interface AgentOptions {
  readonly signal?: AbortSignal
  readonly log?: Logger
  readonly metrics?: Metrics
  /** The charger's electronics; needed for `[guard]` and for commands from a gateway. */
  readonly hardware?: CommandPort
  /** Instead of the configured source: a clock of the charger's own. */
  readonly timeSource?: TimeSource
  /** Wall clock and monotonic clock, milliseconds. Defaults: the system's. */
  readonly now?: () => number
  readonly monotonicMs?: () => number
  /** Started before the guard and stopped after it, such as the door to the hardware. */
  readonly extra?: (agent: AgentDoors) => readonly Component[]
}

/** What a charger tells its agent. */
export interface AgentDoors {
  /** Durable when it resolves. The event's `evse` is this one. @throws BackfeedError: not taken, keep it */
  take(event: Omit<MeterEvent, 'evse'>): Promise<TakeResult>
  /** How large the battery behind a contract is. @throws BackfeedError CONTRACTS_FULL, STORE_FAILED */
  learnContract(contract: number, capacityWh: number): Promise<void>
  /** Never waits. `ageMs`: how long ago it was measured. */
  telemetry(telemetry: Omit<Telemetry, 'atMs'>, ageMs: number): void
  /** A position fix, `ageMs` old. */
  position(position: Position, ageMs: number): void
  /** How much is wanted, W, for so long; for the guard. */
  demand(watts: number, forMs: number): void
  /** A stopped guard may begin again. */
  reset(): void
  /** The hardware is gone: the guard pauses at once. */
  linkLost(): void
  /** Called for every record with a final answer. Returns the way to stop listening. */
  onAnswered(listener: (row: AnsweredRow) => void): () => void
  status(): AgentStatus
}

export interface Agent extends Service, AgentDoors {
  /** What cars sign beside records (ISO 15118-20 metering confirmation): `toSign` for the row of an answered record, then `keep`. */
  readonly readings: Pick<VehicleReadings, 'toSign' | 'keep' | 'find' | 'list'>
  /** Of health, status and metrics. */
  readonly url: string
}

/**
 * Starts an EVSE's agent: meter readings in, signed records out, receipts kept. Everything is wired here, in the order in which it runs.
 * @throws BackfeedError START_FAILED, and what opening its parts throws: DATA_CORRUPTED, STORE_LOCKED, ERR_AUTH_EXPIRED, KEY_UNREADABLE …
 */
export async function startAgent(config: Readonly<EvseConfig>, options: AgentOptions = {}): Promise<Agent> {
  const { now = Date.now, monotonicMs = () => performance.now(), hardware } = options
  const log = options.log ?? createLogger({ service: 'evse', level: config.log.level })
  const metrics = options.metrics ?? createMetrics({ service: 'evse' })
  const { name, chainId, rollup, lane, slot, ratedW } = config.evse
  if (config.guard !== undefined && hardware === undefined) {
    throw new BackfeedError(
      'CONFIG_INVALID',
      '[guard] needs the charger’s electronics: an input, or the `hardware` option',
    )
  }

  await using opened = new AsyncDisposableStack()
  const store = opened.use(await openEdgeStore(join(config.dataDir, 'store'), { chainId, rollup }))
  const outbox = await openOutbox({ store, maxBytes: config.outbox.maxBytes, now, log, metrics })
  const contracts = new ContractBook(store, config.contracts)
  await contracts.load()
  const clock = new ClockCheck({
    config: config.clock,
    source: options.timeSource,
    store,
    now,
    monotonicMs,
    log,
    metrics,
  })
  const key = opened.use(await openSigner(config.signer, { now, log, metrics: createSignerMetrics(metrics) }))
  const position = new OwnPosition({
    registered: config.evse,
    radiusM: config.evse.radiusM,
    maxAgeMs: config.evse.position === 'reported' ? config.evse.positionMaxAgeSeconds * 1_000 : undefined,
    monotonicMs,
  })
  const signRecord = recordSigning(config.evse, position, clockGated(key, clock))
  const metered = { name, lane, slot, ratedW }
  const book = await openMeterBook({
    config: config.metering,
    evse: (asked) => (asked === name ? metered : undefined),
    nameOf: (queue) => (queue.lane === lane && queue.evse === slot ? name : undefined),
    capacityWh: (_, contract) => contracts.capacityWh(contract),
    store,
    outbox,
    signRecord: (_, record) => signRecord(record),
    now,
    monotonicMs,
    isClockTrusted: () => clock.isTrusted(),
    log,
    metrics,
  })
  const vehicleKeys = new Map(config.contracts.map((contract) => [contract.slot, contract.vehicleKey]))
  const readings = await VehicleReadings.open({
    store,
    deployment: { chainId: BigInt(chainId), rollup },
    vehicleKey: (of, contract) => (of === lane ? vehicleKeys.get(contract) : undefined),
    now,
    log,
    folder: join(config.dataDir, 'disputes'),
  })
  const guard =
    config.guard === undefined || hardware === undefined
      ? undefined
      : new HardwareGuard({ evse: name, ratedW, config: config.guard, hardware, monotonicMs, log, metrics })

  const receipts = new ReceiptVerifier({
    chainId: BigInt(chainId),
    rollup,
    operatorOf: (of) => (of === lane ? config.operators : undefined),
    now: () => Math.floor(now() / 1_000),
  })
  const clients: RecordClient[] = [...(await openTargets(config.sequencers, { receipts }))]
  for (const client of clients) opened.use(client)
  const controls = guard?.controls ?? hardware
  const mqtt =
    config.mqtt === undefined
      ? undefined
      : opened.use(
          openMqttAgent({
            broker: config.mqtt,
            address: { lane, evse: name },
            receipts,
            retry: { attempts: 1 },
            ...(controls && { controls }),
            now,
            log,
          }),
        )
  if (mqtt !== undefined) clients.push(mqtt.records)
  const delivery = new Delivery({
    outbox,
    clients: new Map([[lane, clients]]),
    config: config.delivery,
    nameOf: () => name,
    now,
    monotonicMs,
    log,
    metrics,
  })

  const status = (): AgentStatus =>
    agentStatus({ evse: name, clock, position, outbox, delivery, meter: book.status(name), guard, mqtt, key })
  const doors: AgentDoors = {
    take: (event) => book.take({ ...event, evse: name }),
    learnContract: (contract, capacityWh) => contracts.learn(contract, capacityWh),
    telemetry: (telemetry, ageMs) => {
      guard?.telemetry({ ...telemetry, atMs: monotonicMs() - ageMs })
      const { atMs: _, ...values } = { atMs: 0, ...telemetry }
      mqtt?.telemetry({ ...values, atMs: Math.round(now() - ageMs) })
      if (telemetry.tempC !== undefined) book.noteTemperature(name, now() - ageMs, telemetry.tempC)
    },
    position: (fix, ageMs) => {
      position.take(fix, ageMs)
      mqtt
        ?.position({ lat: fix.lat, lon: fix.lon, atMs: Math.round(now() - ageMs) })
        .catch((error: unknown) => log.debug({ err: error }, 'the gateway was not told the position'))
    },
    demand: (watts, forMs) => guard?.demand(watts, forMs),
    reset: () => guard?.reset(),
    linkLost: () => guard?.linkLost(),
    onAnswered: (listener) => outbox.onAnswered(listener),
    status,
  }
  const server = new StatusServer({
    ...config.http,
    metrics,
    log,
    problems: () => status().problems,
    status,
    refresh: () => {
      outbox.refreshMetrics()
      clock.refreshMetrics()
    },
  })
  // The hardware's door closes after the guard, whose last word is a pause.
  const components = [clock, book, ...(options.extra?.(doors) ?? []), ...(guard ? [guard] : []), delivery, server]
  const service = await startService({
    name: 'evse',
    components,
    log,
    ...(options.signal && { signal: options.signal }),
  })
  const resources = opened.move()
  const url = server.url
  log.info({ evse: name, lane, slot, url, waiting: outbox.figures().waitingRows }, 'the agent runs')
  const done = service.done.finally(() => resources.disposeAsync())
  done.catch(() => {}) // whoever stops by hand need not look at it
  const stop = async (): Promise<void> => {
    await service.stop()
    await done.catch(() => {})
  }
  return { ...doors, readings, url, done, stop, [Symbol.asyncDispose]: stop }
}
