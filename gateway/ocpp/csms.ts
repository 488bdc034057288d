import type { CommandPort } from '../../evse/guard/commandPort.ts'
import type { TelemetrySink } from '../../evse/guard/telemetry.ts'
import type { MeterEventSink } from '../../evse/metering/meterEvent.ts'
import type { EdgeStore } from '../../evse/store/edgeStore.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component, ComponentContext } from '../../runtime/service.ts'
import type { Directory } from '../fleet/directory.ts'
import type { JudgeSignedValue } from '../ocmf/signedValue.ts'
import type { ReportsStatus, SourceStatus } from '../sourceStatus.ts'
import { type Admitted, admit } from './admission.ts'
import { FailedAttempts } from './attempts.ts'
import { OcppCommands } from './commands.ts'
import { OCPP_VERSIONS, type OcppConfig, type OcppVersion } from './config.ts'
import { answer2 } from './handlers2.ts'
import { answer16 } from './handlers16.ts'
import { checkStationsOfEvses, knownStations } from './knownStations.ts'
import { CLOSE_TIMEOUT_MS, MAX_UNREAD_BYTES } from './limits.ts'
import { type Listener, listenForStations } from './listener.ts'
import { ocppMetrics } from './metrics.ts'
import { OcppOperator } from './operator.ts'
import { PasswordChecker } from './passwords.ts'
import { type OcppProblem, Problems } from './problems.ts'
import { createRpcServer, type Handshake, type RpcConnection } from './rpc.ts'
import { StationSession } from './session.ts'
import type { ChargingNeeds, StationContext } from './stationContext.ts'
import { StationRegistry } from './stationRegistry.ts'
import { applySettings } from './stationSettings.ts'
import { Transactions } from './transactions.ts'
import { TransactionStore } from './transactionStore.ts'

export interface OcppDeps {
  readonly directory: Directory
  /** The metering book. A station is answered when it has taken. */
  readonly sink: MeterEventSink
  readonly telemetry: TelemetrySink
  /** What a station reports of an EVSE's heat, for metering; default: nothing. `atMs` of the station's clock. */
  readonly temperature?: (evse: string, atMs: number, tempC: number) => void
  readonly judge: JudgeSignedValue
  readonly store: EdgeStore
  readonly log: Logger
  readonly metrics: Metrics
  /** What a car asked for; default: only logged. */
  readonly needs?: (evse: string, needs: ChargingNeeds) => void
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  readonly monotonicMs: () => number
}

/** An OCPP Central System: stations' messages in, commands out. */
export interface Ocpp extends Component, ReportsStatus {
  readonly name: 'ocpp'
  readonly commands: CommandPort
  readonly operator: OcppOperator
  /** Once started. */
  readonly listeners: readonly { readonly port: number; readonly secure: boolean }[]
  start(context: ComponentContext): Promise<void>
  stop(): Promise<void>
}

/** @throws BackfeedError CONFIG_INVALID, CONFIG_UNREADABLE, ERR_AUTH_EXPIRED: what the configuration lacks, by key */
export function openOcpp(config: OcppConfig, deps: OcppDeps): Ocpp {
  const { now, monotonicMs, directory } = deps
  const log = deps.log.child({ source: 'ocpp' })
  const metrics = ocppMetrics(deps.metrics)
  const problems = new Problems(now)
  const stations = knownStations(config)
  const registry = new StationRegistry({ stations, clockLimitMs: config.clockLimitMs, now })
  const store = new TransactionStore(deps.store, now)
  const session = (station: string): StationSession | undefined => registry.session(station)

  const problem = (found: OcppProblem, options?: { standing?: boolean }): void => {
    metrics.problem(found.code)
    const { code, message, ...fields } = found
    if (problems.raise(found, options)) log.warn({ code, ...fields }, message)
  }
  const context: StationContext = {
    config,
    directory,
    store,
    transactions: new Transactions({
      store,
      directory,
      sink: deps.sink,
      judge: deps.judge,
      metrics,
      acceptIntervals: config.acceptIntervals,
      problem,
      now,
    }),
    telemetry: deps.telemetry,
    temperature: deps.temperature ?? (() => {}),
    needs: deps.needs ?? (() => {}),
    problem,
    clear: (found) => problems.clear(found),
    booted,
    now,
    monotonicMs,
  }
  const server = createRpcServer({
    protocols: config.protocols,
    callTimeoutMs: config.callTimeoutMs,
    pingIntervalMs: config.pingS * 1_000,
    maxBadMessages: config.maxBadMessages,
    maxMessageBytes: config.maxMessageBytes,
  })
  const admission = {
    stations,
    protocols: config.protocols,
    attempts: new FailedAttempts({ limit: config.maxAttempts, hostLimit: 8 * config.maxAttempts, now: monotonicMs }),
    passwords: new PasswordChecker(),
    now,
  }
  const admitted = new WeakMap<object, Admitted>()
  let listeners: Listener[] = []

  server.auth(async (accept, reject, handshake) => {
    const verdict = await admit(admission, handshake)
    if (!verdict.ok) {
      refused(handshake, verdict.code, verdict.message)
      reject(verdict.status, `${verdict.code}: ${verdict.message}`)
      return
    }
    problems.clear({ code: 'ERR_AUTH_EXPIRED', station: handshake.identity })
    problems.clear({ code: 'STATION_AUTH_FAILED', station: handshake.identity })
    admitted.set(handshake.request, verdict)
    accept({}, verdict.protocol)
  })
  server.on('client', (connection: RpcConnection) => connected(connection))
  server.on('error', (error: unknown) => log.error({ err: error }, 'fault of the OCPP server'))

  function refused(handshake: Handshake, code: string, message: string): void {
    const { identity, remoteAddress } = handshake
    metrics.refused(code)
    // A stranger may call itself anything: only names of ours are shown as problems.
    if (stations.has(identity)) problem({ code, message, station: identity })
    else log.warn({ code, station: identity.slice(0, 48), remoteAddress }, message)
  }

  function connected(connection: RpcConnection): void {
    const entry = admitted.get(connection.handshake.request)
    const version = versionOf(connection.protocol)
    if (entry === undefined || version === undefined) {
      log.warn(
        { station: connection.identity, offered: [...connection.handshake.protocols] },
        'no version of OCPP in common',
      )
      connection.close({ code: 1002, reason: 'no common subprotocol' })?.catch(() => {})
      return
    }
    const { station, certificateEndMs } = entry
    const ours = new StationSession({
      connection,
      version,
      station,
      certificateEndMs,
      memory: registry.memory(station.id),
      callTimeoutMs: config.callTimeoutMs,
      log: log.child({ station: station.id }),
      metrics,
      monotonicMs,
    })
    const socket = connection.handshake.request.socket
    connection.on('badMessage', ({ error }: { error: unknown }) => {
      metrics.malformed('message')
      ours.log.warn({ err: error }, 'not an OCPP message')
    })
    connection.on('strictValidationFailure', ({ method, error, outbound }) => {
      metrics.malformed('schema')
      ours.log[outbound ? 'error' : 'warn']({ action: String(method).slice(0, 50), err: error }, 'breaks the schema')
    })
    connection.on('message', () => {
      if (socket.writableLength <= MAX_UNREAD_BYTES) return
      ours.log.warn('the station reads no answers: cut')
      ours.drop('answers are not read')
    })
    connection.on('socketError', (error: unknown) => ours.log.debug({ err: error }, 'socket error'))
    connection.once('close', ({ code }: { code: number }) => {
      ours.ended()
      metrics.disconnected()
      registry.left(ours)
      ours.log.info({ closeCode: code }, 'station disconnected')
    })
    if (version === 'ocpp1.6') answer16(ours, context)
    else answer2(ours, context)
    metrics.connected()
    const before = registry.entered(ours)
    ours.log.info(
      { version, profile: station.securityProfile },
      before ? 'station connected again' : 'station connected',
    )
    before?.drop('the station has connected anew')
  }

  function booted(ours: StationSession): void {
    ours.memory.clock.reset()
    // After the answer, which is sent when the handler's promise has resolved.
    setImmediate(() => {
      void applySettings(ours, config).then((names) => {
        const code = 'STATION_SETTINGS_REFUSED'
        if (names.length === 0) problems.clear({ code, station: ours.id })
        else problem({ code, message: `it does not take ${names.join(', ')}`, station: ours.id })
      })
    })
  }

  function status(): SourceStatus {
    const listed = [...problems.list(), ...registry.problems()]
    const state = listeners.length === 0 ? 'DOWN' : listed.length > 0 ? 'DEGRADED' : 'UP'
    const ports = listeners.map(({ port, secure }) => `${secure ? 'wss' : 'ws'} ${port}`).join(', ')
    return {
      name: 'ocpp',
      state,
      figures: { ports, stations: stations.size, connected: registry.size },
      problems: listed,
    }
  }

  return {
    name: 'ocpp',
    commands: new OcppCommands({ directory, transactions: store, session, maxOfflineS: config.maxOfflineS, log }),
    operator: new OcppOperator(session),
    get listeners() {
      return listeners
    },
    status,
    async start() {
      checkStationsOfEvses(stations, directory) // which has been read from L1 by now
      await store.load()
      listeners = await listenForStations(config, (request, socket, head) =>
        server.handleUpgrade(request, socket, head),
      )
      const ports = listeners.map(({ port, secure }) => ({ port, secure }))
      log.info({ host: config.host, ports, stations: stations.size }, 'waiting for charging stations')
      if (listeners.some(({ secure }) => !secure) && !isLoopback(config.host)) {
        log.warn({ host: config.host }, 'passwords of security profile 1 travel in the open')
      }
    },
    async stop() {
      const open = listeners
      listeners = []
      const closed = open.map(({ server: tcp }) => new Promise<void>((resolve) => tcp.close(() => resolve())))
      await registry.drain(CLOSE_TIMEOUT_MS)
      await server.close({ code: 1001, reason: 'the gateway stops', force: true })
      for (const { server: tcp } of open) tcp.closeAllConnections()
      await Promise.all(closed)
    },
  }
}

function versionOf(protocol: string | undefined): OcppVersion | undefined {
  return OCPP_VERSIONS.find((version) => version === protocol)
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
