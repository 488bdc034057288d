import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { seededEvseSigner } from '../../../devnet/evseSigner.ts'
import { MqttEvse } from '../../../devnet/stations/mqttEvse.ts'
import type { Telemetry } from '../../../evse/guard/telemetry.ts'
import { type BrokerLink, openBrokerLink } from '../../../evse/mqtt/brokerLink.ts'
import type { BrokerConfig } from '../../../evse/mqtt/config.ts'
import type { PositionPayload } from '../../../evse/mqtt/payloads.ts'
import { type LevelOutbox, openOutbox } from '../../../evse/outbox/levelOutbox.ts'
import type { Outbox } from '../../../evse/outbox/outbox.ts'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import type { Directory, EdgeEvse } from '../../../gateway/fleet/directory.ts'
import { mqttConfigSchema } from '../../../gateway/mqtt/config.ts'
import { type MqttSource, openMqtt } from '../../../gateway/mqtt/mqttSource.ts'
import { recordDomain } from '../../../protocol/domain.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics, type Metrics } from '../../../runtime/metrics.ts'
import { DEPLOYMENT, type Operator, trustedVerifier } from './operator.ts'

export const LANE = 3
export const SEED = 'mqtt-site'
export const PLACE = { lat: 525_200_000, lon: 134_050_000 }
/** 2026-11-22, a period's beginning. */
export const FIRST_INTERVAL = 119_660_160

const domain = recordDomain({ chainId: BigInt(DEPLOYMENT.chainId), rollup: DEPLOYMENT.rollup, lane: LANE })

export const nameOf = (slot: number): string => `evse-${slot}`

export function directoryOf(count: number): Directory {
  const evses: EdgeEvse[] = Array.from({ length: count }, (_, slot) => ({
    name: nameOf(slot),
    lane: LANE,
    slot,
    ratedW: 11_000,
    ...PLACE,
    publicKey: seededEvseSigner(SEED, slot).publicKey,
    ocpp: undefined,
    signedValues: 'ignore',
    meterKey: undefined,
    telemetry: 'mqtt',
  }))
  const byName = new Map(evses.map((evse) => [evse.name, evse]))
  return {
    evses,
    evse: (name) => byName.get(name),
    atStation: () => undefined,
    contract: () => undefined,
    contractOfToken: () => undefined,
  }
}

export interface Site {
  readonly source: MqttSource
  readonly box: LevelOutbox
  readonly metrics: Metrics
  /** With when it came. */
  readonly telemetry: { evse: string; telemetry: Telemetry; cameMs: number }[]
  readonly positions: { evse: string; position: PositionPayload }[]
  close(): Promise<void>
}

/** A gateway's MQTT side over a real outbox; its delivery is `operator`'s. */
export async function openSite(settings: {
  broker: Partial<BrokerConfig> & { url: string }
  folder: string
  evses: number
  operator?: Operator
  clientId?: string
  commandTimeoutMs?: number
  /** Between the source and the box: to make it fail or be slow. */
  wrap?: (box: LevelOutbox) => Outbox
}): Promise<Site> {
  const { broker, folder, evses, operator, clientId, commandTimeoutMs, wrap = (box) => box } = settings
  const metrics = createMetrics({ service: 'test', process: false })
  const log = silentLogger()
  const store = await openEdgeStore(join(folder, 'edge'), DEPLOYMENT)
  const box = await openOutbox({ store, maxBytes: 64_000_000, now: Date.now, log, metrics })
  const stopDelivery = operator?.deliver(box)
  const telemetry: Site['telemetry'] = []
  const positions: Site['positions'] = []
  const config = mqttConfigSchema.parse({
    username: 'backfeed-gateway',
    ...broker,
    ...(clientId && { clientId }),
    ...(commandTimeoutMs && { commandTimeoutMs }),
  })
  const source = openMqtt(config, {
    directory: directoryOf(evses),
    outbox: wrap(box),
    telemetry: (evse, sample) => telemetry.push({ evse, telemetry: sample, cameMs: performance.now() }),
    onPosition: (evse, position) => positions.push({ evse, position }),
    deployment: DEPLOYMENT,
    now: Date.now,
    monotonicMs: () => performance.now(),
    metrics,
    log,
  })
  await source.start?.({ signal: new AbortController().signal, fail: (error) => console.error(error) })
  return {
    source,
    box,
    metrics,
    telemetry,
    positions,
    close: async () => {
      await source.stop?.()
      await stopDelivery?.()
      await store.close()
    },
  }
}

export function openEvse(
  slot: number,
  broker: BrokerConfig,
  options: { telemetryHz?: number; timeoutMs?: number; recordsQos?: 1 | 2 } = {},
): MqttEvse {
  return new MqttEvse({
    broker,
    name: nameOf(slot),
    lane: LANE,
    slot,
    signer: seededEvseSigner(SEED, slot),
    place: { domain, ...PLACE },
    receipts: trustedVerifier(),
    telemetryHz: 0,
    timeoutMs: 10_000,
    log: silentLogger(),
    ...options,
  })
}

/** A row of an EVSE, signed as it would. */
export function signedRow(slot: number, index: number): Uint8Array {
  const record = { ...quarter(index), evse: slot, meterEndWh: 1_000_000 - index }
  return seededEvseSigner(SEED, slot).signRecord(record, { domain, ...PLACE })
}

/** The interval that a test began in. It is read once: a quarter is the same one each time that it is asked for, and overlaps no other. */
const NOW_INTERVAL = Math.floor(Date.now() / 1000 / 15)

/** A quarter of an hour, the `index`th of the test; its receipt's time is the machine's, so it lies shortly before. */
export function quarter(index: number): Parameters<MqttEvse['feed']>[0] {
  return {
    contract: 1,
    start: NOW_INTERVAL - 60 * (index + 1),
    intervals: 60,
    energyWh: 1_000 + index,
    socDrop: 300,
    tempC: 25,
  }
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backfeed-mqtt-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A link that nobody listens to. */
export function openIdleLink(
  t: TestContext,
  config: BrokerConfig,
  { clientId = 'test', subscriptions = {} }: { clientId?: string; subscriptions?: Record<string, 0 | 1 | 2> } = {},
): BrokerLink {
  const link = openBrokerLink({
    config,
    clientId,
    sessionSeconds: 0,
    subscriptions,
    maxWaiting: 1,
    onMessage: () => {},
    now: Date.now,
    log: silentLogger(),
  })
  t.after(() => link.close())
  return link
}

export function plainBroker(url: string): BrokerConfig {
  return { url, protocol: 'auto', keepaliveSeconds: 15 }
}
