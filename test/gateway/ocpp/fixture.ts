import type { Telemetry } from '../../../evse/guard/telemetry.ts'
import type { MeterEvent, MeterEventSink, TakeResult } from '../../../evse/metering/meterEvent.ts'
import type { EdgeStore, StoreOp } from '../../../evse/store/edgeStore.ts'
import type { Directory, EdgeEvse } from '../../../gateway/fleet/directory.ts'
import { judgeSignedValue } from '../../../gateway/ocmf/judge.ts'
import { ocppConfigSchema } from '../../../gateway/ocpp/config.ts'
import { type Ocpp, type OcppDeps, openOcpp } from '../../../gateway/ocpp/csms.ts'
import { hashPassword } from '../../../gateway/ocpp/passwords.ts'
import { SimulatedStation, type StationSettings } from '../../../devnet/stations/station.ts'
import { BackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'

export const PASSWORD = 'a-password-of-20-chars'
export const KNOWN_TOKEN = 'DEADBEEF'
export const T0 = Date.UTC(2026, 9, 1, 18, 0, 0)

let hash: Promise<string> | undefined
/** Hashing takes a while: once for all stations of a test file. */
export const passwordHash = (): Promise<string> => (hash ??= hashPassword(PASSWORD))

/** The edge's store without a disk; `failing` makes its writes fail. */
export class MemoryStore implements EdgeStore {
  readonly values = new Map<string, Uint8Array>()
  failing = false
  writes = 0

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.values.get(key)
  }

  async write(ops: readonly StoreOp[]): Promise<void> {
    if (this.failing) throw new BackfeedError('STORE_FAILED', 'the disk is full', { retryable: true })
    this.writes++
    for (const { key, value } of ops) {
      if (value === undefined) this.values.delete(key)
      else this.values.set(key, value)
    }
  }

  async *entries(prefix: string): AsyncIterable<readonly [string, Uint8Array]> {
    for (const key of [...this.values.keys()].sort()) if (key.startsWith(prefix)) yield [key, this.values.get(key)!]
  }

  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** Keeps what it is given; `hold` makes it wait, `failing` makes it refuse. */
export class RecordingSink implements MeterEventSink {
  readonly taken: MeterEvent[] = []
  failing = false
  hold: Promise<void> | undefined
  #waiting: { count: number; resolve: () => void }[] = []

  async take(event: MeterEvent): Promise<TakeResult> {
    await this.hold
    if (this.failing) throw new BackfeedError('STORE_FAILED', 'the disk is full', { retryable: true })
    const repeated = this.taken.some(
      ({ transaction, seqNo, atMs }) =>
        transaction === event.transaction && seqNo === event.seqNo && atMs === event.atMs,
    )
    this.taken.push(event)
    for (const waiting of this.#waiting) if (this.taken.length >= waiting.count) waiting.resolve()
    return repeated ? 'REPEATED' : 'TAKEN'
  }

  reached(count: number): Promise<void> {
    if (this.taken.length >= count) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ count, resolve }))
  }
}

export function evseAt(station: string, evseId = 1, more: Partial<EdgeEvse> = {}): EdgeEvse {
  return {
    name: `${station}-${evseId}`,
    lane: 1,
    slot: evseId,
    ratedW: 11_000,
    lat: 0,
    lon: 0,
    publicKey: new Uint8Array(64),
    ocpp: { station, evseId },
    signedValues: 'ignore',
    meterKey: undefined,
    telemetry: 'ocpp',
    ...more,
  }
}

export function directoryOf(evses: readonly EdgeEvse[]): Directory {
  const byPlace = new Map(evses.map((evse) => [`${evse.ocpp?.station}/${evse.ocpp?.evseId}`, evse]))
  const byName = new Map(evses.map((evse) => [evse.name, evse]))
  const contract = { lane: 1, slot: 7, capacityWh: 60_000 }
  const tokens = new Set([KNOWN_TOKEN.toLowerCase(), 'de8aac12345678x'])
  return {
    evses,
    evse: (name) => byName.get(name),
    atStation: (station, evseId) => byPlace.get(`${station}/${evseId}`),
    contract: (lane, slot) => (lane === contract.lane && slot === contract.slot ? contract : undefined),
    contractOfToken: (lane, token) =>
      lane === contract.lane && tokens.has(token.toLowerCase()) ? contract : undefined,
  }
}

/** A clock that is moved by hand. */
export class Clock {
  nowMs = T0
  readonly now = (): number => this.nowMs
  readonly monotonicMs = (): number => this.nowMs - T0 + 1_000
}

export interface FixtureSettings {
  /** Stations and how many EVSEs each has. */
  readonly stations?: Readonly<Record<string, number>>
  readonly evse?: Partial<EdgeEvse>
  /** Of the `ocpp` section. Without TLS unless said. */
  readonly config?: Record<string, unknown>
  readonly stationConfig?: Record<string, unknown>
  readonly deps?: Partial<OcppDeps>
  /** Of a gateway that ran before. */
  readonly store?: MemoryStore
  readonly clock?: Clock
}

export interface Fixture extends AsyncDisposable {
  readonly ocpp: Ocpp
  readonly sink: RecordingSink
  readonly store: MemoryStore
  readonly clock: Clock
  readonly telemetry: { readonly evse: string; readonly telemetry: Telemetry }[]
  readonly url: string
  station(settings?: Partial<StationSettings>): SimulatedStation
  codes(): string[]
  metrics(): Promise<string>
  /** Resolves when a call of this action has been answered. */
  heard(action: string): Promise<void>
}

export async function startOcpp(settings: FixtureSettings = {}): Promise<Fixture> {
  const stations = settings.stations ?? { CS1: 1 }
  const clock = settings.clock ?? new Clock()
  const sink = new RecordingSink()
  const store = settings.store ?? new MemoryStore()
  const telemetry: { evse: string; telemetry: Telemetry }[] = []
  const evses = Object.entries(stations).flatMap(([station, count]) =>
    Array.from({ length: count }, (_, index) => evseAt(station, index + 1, settings.evse)),
  )
  const metrics = createMetrics({ service: 'test', process: false })
  const stationHash = await passwordHash()
  const config = ocppConfigSchema.parse({
    port: 0,
    securityProfile: 1,
    pingS: 0,
    sampleIntervalS: 0,
    alignedIntervalS: 0,
    callTimeoutMs: 60_000,
    stations: Object.keys(stations).map((id) => ({ id, passwordHash: stationHash, ...settings.stationConfig })),
    ...settings.config,
  })
  const ocpp = openOcpp(config, {
    directory: directoryOf(evses),
    sink,
    telemetry: (evse, said) => telemetry.push({ evse, telemetry: said }),
    judge: judgeSignedValue,
    store,
    log: silentLogger(),
    metrics,
    now: clock.now,
    monotonicMs: clock.monotonicMs,
    ...settings.deps,
  })
  const stopping = new AbortController()
  await ocpp.start({
    signal: stopping.signal,
    fail(error) {
      throw error
    },
  })
  const [listener] = ocpp.listeners
  const url = `${listener!.secure ? 'wss' : 'ws'}://127.0.0.1:${listener!.port}`
  const made: SimulatedStation[] = []
  return {
    ocpp,
    sink,
    store,
    clock,
    telemetry,
    url,
    station(own = {}) {
      const station = new SimulatedStation({
        id: 'CS1',
        url,
        version: 'ocpp2.0.1',
        password: PASSWORD,
        now: clock.now,
        retryMs: 10,
        strict: true,
        ...own,
      })
      made.push(station)
      return station
    },
    codes: () => ocpp.status().problems.map(({ code }) => code),
    metrics: () => metrics.text(),
    async heard(action) {
      while (!(await metrics.text()).includes(`action="${action}",outcome="ok"`)) {
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    async [Symbol.asyncDispose]() {
      for (const station of made) station.cutLink()
      stopping.abort()
      await ocpp.stop()
    },
  }
}
