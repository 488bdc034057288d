import type { TelemetrySink } from '../../evse/guard/telemetry.ts'
import { BackfeedError, describeError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { pause } from '../../runtime/wait.ts'
import type { SourceProblem } from '../sourceStatus.ts'
import type { DeviceConfig } from './config.ts'
import { ModbusConnection } from './connection.ts'
import type { ModbusMetrics } from './metrics.ts'
import { EvseReadings } from './readings.ts'
import { type Block, blocksOf } from './registerMap.ts'

export interface DevicePollerDeps {
  readonly onTelemetry: TelemetrySink
  /** Temperatures for the records of an EVSE: milliseconds since the Unix epoch, °C. */
  readonly noteTemperature: (evse: string, atMs: number, tempC: number) => void
  readonly now: () => number
  readonly monotonicMs: () => number
  readonly metrics: ModbusMetrics
  readonly log: Logger
}

interface Round {
  readonly connection: ModbusConnection
  /** When each EVSE's first register of the round was asked for. A value may be that old. */
  readonly askedAt: Map<string, { readonly monotonicMs: number; readonly ms: number }>
  /** Whether anything was answered. */
  isAnswered: boolean
}

/** Polls one device for as long as it is run. What a device does wrong is told, and never ends it. */
export class DevicePoller {
  readonly #config: DeviceConfig
  readonly #deps: DevicePollerDeps
  readonly #blocks: readonly Block[]
  readonly #evses: readonly EvseReadings[]
  /** EVSEs whose registers are all read once this block is. */
  readonly #completedBy = new Map<Block, EvseReadings[]>()
  readonly #problems = new Map<string, SourceProblem>()
  #isUp = false
  #rounds = 0

  constructor(config: DeviceConfig, deps: DevicePollerDeps) {
    this.#config = config
    this.#deps = deps
    this.#blocks = blocksOf(config.registers, config.maxGap)
    const byEvse = Map.groupBy(config.registers, ({ evse }) => evse)
    this.#evses = [...byEvse].map(([evse, registers]) => new EvseReadings(evse, registers))
    for (const readings of this.#evses) {
      const last = this.#blocks.findLast((block) => block.registers.some(({ evse }) => evse === readings.evse))!
      this.#completedBy.set(last, [...(this.#completedBy.get(last) ?? []), readings])
    }
  }

  get isUp(): boolean {
    return this.#isUp
  }

  get rounds(): number {
    return this.#rounds
  }

  get problems(): readonly SourceProblem[] {
    return [...this.#problems.values()]
  }

  /** Resolves when the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { reconnectMs, maxReconnectMs } = this.#config
    let pauseMs = reconnectMs
    while (!signal.aborted) {
      const isAnswered = await this.#session(signal)
      if (signal.aborted) return
      // Only what was answered counts: a device that takes connections and says nothing is not hurried.
      if (isAnswered) pauseMs = reconnectMs
      await pause(pauseMs, signal)
      pauseMs = Math.min(pauseMs * 2, maxReconnectMs)
    }
  }

  /** One connection, from its beginning to its end. Returns whether the device ever answered. */
  async #session(signal: AbortSignal): Promise<boolean> {
    const { host, port, unitId, timeoutMs, pollMs } = this.#config
    const { monotonicMs, log } = this.#deps
    let isAnswered = false
    try {
      const connection = await ModbusConnection.open({ host, port, unitId, timeoutMs, signal })
      log.debug({ device: this.#config.name }, 'connected')
      try {
        while (!signal.aborted && connection.isOpen) {
          const startMs = monotonicMs()
          isAnswered = (await this.#round(connection)) || isAnswered
          await pause(Math.max(0, startMs + pollMs - monotonicMs()), signal)
        }
        if (!signal.aborted) throw new BackfeedError('MODBUS_UNREACHABLE', 'the device closed the connection')
      } finally {
        connection.close()
      }
    } catch (error) {
      if (!signal.aborted) this.#lost(error)
    }
    this.#setUp(false)
    return isAnswered
  }

  /** @throws BackfeedError that ended the connection */
  async #round(connection: ModbusConnection): Promise<boolean> {
    const round: Round = { connection, askedAt: new Map(), isAnswered: false }
    for (const readings of this.#evses) readings.begin()
    for (const block of this.#blocks) {
      await this.#readBlock(block, round)
      for (const readings of this.#completedBy.get(block) ?? []) this.#publish(readings, round)
    }
    this.#rounds += 1
    return round.isAnswered
  }

  async #readBlock(block: Block, round: Round): Promise<void> {
    const { now, monotonicMs, metrics } = this.#deps
    const asked = { monotonicMs: monotonicMs(), ms: now() }
    for (const { evse } of block.registers) if (!round.askedAt.has(evse)) round.askedAt.set(evse, asked)
    const label = { device: this.#config.name }
    try {
      const bytes = await round.connection.read(block)
      metrics.readSeconds.observe(label, (monotonicMs() - asked.monotonicMs) / 1_000)
      metrics.reads.inc({ ...label, outcome: 'OK' })
      for (const readings of this.#evses) readings.take(block, bytes, monotonicMs())
      this.#settle('MODBUS_EXCEPTION', block)
    } catch (error) {
      if (!(error instanceof BackfeedError) || error.code !== 'MODBUS_EXCEPTION') throw error
      metrics.reads.inc({ ...label, outcome: error.code })
      for (const evse of new Set(block.registers.map((register) => register.evse))) {
        this.#problem({ code: error.code, message: `${this.#config.name}: ${error.message}`, evse }, block)
      }
    }
    round.isAnswered = true
    this.#setUp(true)
    this.#settleAll(['MODBUS_UNREACHABLE', 'MODBUS_TIMEOUT', 'MODBUS_PROTOCOL'])
  }

  #publish(readings: EvseReadings, round: Round): void {
    const { onTelemetry, noteTemperature, metrics } = this.#deps
    const doubts = readings.doubts()
    for (const register of this.#config.registers) {
      if (register.evse !== readings.evse) continue
      const found = doubts.find((one) => one.register === register)
      for (const code of ['MODBUS_IMPLAUSIBLE', 'MODBUS_STUCK'] as const) {
        if (found?.doubt !== code) {
          this.#settle(code, register)
          continue
        }
        metrics.dropped.inc({ device: this.#config.name, code })
        const message = `${this.#config.name}: ${register.quantity} in register ${register.address} of function ${register.function}`
        this.#problem({ code, message, evse: readings.evse }, register)
      }
    }
    const asked = round.askedAt.get(readings.evse)
    const telemetry = asked && readings.telemetry(asked.monotonicMs)
    if (asked === undefined || telemetry === undefined) return
    metrics.telemetry.inc({ device: this.#config.name })
    onTelemetry(readings.evse, telemetry)
    if (telemetry.tempC !== undefined) noteTemperature(readings.evse, asked.ms, telemetry.tempC)
  }

  #lost(error: unknown): void {
    const code = error instanceof BackfeedError ? error.code : 'MODBUS_UNREACHABLE'
    this.#deps.metrics.reads.inc({ device: this.#config.name, outcome: code })
    if (!(error instanceof BackfeedError))
      this.#deps.log.error({ err: error, device: this.#config.name }, 'poll failed')
    for (const { evse } of this.#evses) {
      this.#problem({ code, message: `${this.#config.name}: ${describeError(error)}`, evse })
    }
  }

  #setUp(isUp: boolean): void {
    if (this.#isUp === isUp) return
    this.#isUp = isUp
    this.#deps.metrics.up.set({ device: this.#config.name }, isUp ? 1 : 0)
    this.#deps.log.info({ device: this.#config.name }, isUp ? 'answers' : 'does not answer')
  }

  /** Told once, when it begins. */
  #problem(problem: SourceProblem, where?: object): void {
    const key = this.#key(problem.code, problem.evse, where)
    if (!this.#problems.has(key)) {
      this.#deps.log.warn({ code: problem.code, evse: problem.evse, device: this.#config.name }, problem.message)
    }
    this.#problems.set(key, problem)
  }

  #settle(code: string, where: Block | DeviceConfig['registers'][number]): void {
    const evses = 'registers' in where ? where.registers.map(({ evse }) => evse) : [where.evse]
    for (const evse of evses) this.#over(this.#key(code, evse, where))
  }

  #settleAll(codes: readonly string[]): void {
    if (this.#problems.size === 0) return
    for (const { evse } of this.#evses) for (const code of codes) this.#over(this.#key(code, evse))
  }

  #over(key: string): void {
    const problem = this.#problems.get(key)
    if (problem === undefined) return
    this.#problems.delete(key)
    this.#deps.log.info({ code: problem.code, evse: problem.evse, device: this.#config.name }, 'over')
  }

  #key(code: string, evse: string | undefined, where?: object): string {
    const place =
      where !== undefined && 'address' in where && 'function' in where ? `${where.function}:${where.address}` : ''
    return `${code} ${evse ?? ''} ${place}`
  }
}
