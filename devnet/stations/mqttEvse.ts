import type { ReceiptVerifier } from '../../client/receiptVerifier.ts'
import type { AnsweredRecord } from '../../client/recordClient.ts'
import { SubmitError } from '../../client/submitError.ts'
import type { CommandPort } from '../../evse/guard/commandPort.ts'
import type { BrokerConfig } from '../../evse/mqtt/config.ts'
import { type MqttAgent, type MqttAgentSettings, openMqttAgent } from '../../evse/mqtt/mqttAgent.ts'
import type { ErrorPayload } from '../../evse/mqtt/payloads.ts'
import type { DischargeRecord } from '../../protocol/record.ts'
import type { Logger } from '../../runtime/log.ts'
import { PokableTimer } from '../../runtime/pokableTimer.ts'
import type { EvseSigner } from '../evseSigner.ts'

export interface MqttEvseSettings {
  readonly broker: BrokerConfig
  readonly name: string
  readonly lane: number
  readonly slot: number
  readonly signer: EvseSigner
  /** What its signatures are for: the lane's domain, and its registered place. */
  readonly place: { readonly domain: Uint8Array; readonly lat: number; readonly lon: number }
  readonly receipts: ReceiptVerifier | 'unchecked'
  /** Export register when it begins, Wh. */
  readonly meterWh?: number
  /** Telemetry messages a second; 0: none. Default 5. */
  readonly telemetryHz?: number
  /** For the answers to one sending, milliseconds; then it is sent again. Default 3 000. */
  readonly timeoutMs?: number
  /** Of records; default 2. */
  readonly recordsQos?: 1 | 2
  readonly now?: () => number
  readonly log: Logger
}

/** What the meter showed over a span; the register is the EVSE's own. */
export type Span = Pick<DischargeRecord, 'contract' | 'start' | 'intervals' | 'energyWh' | 'socDrop' | 'tempC'>

/** Records of one message. */
const ROWS_A_MESSAGE = 64
const RETRY_MS = 250

/** A simulated EVSE behind MQTT: signs what it meters, keeps each record until its receipt, sends telemetry, and obeys. */
export class MqttEvse {
  readonly name: string
  readonly slot: number
  readonly #settings: MqttEvseSettings
  readonly #waiting: Uint8Array[] = []
  readonly #sent: Uint8Array[] = []
  readonly #answers: AnsweredRecord[] = []
  readonly #errors: ErrorPayload[] = []
  readonly #idle = new Set<() => void>()
  readonly #stopping = new AbortController()
  readonly #timer = new PokableTimer(this.#stopping.signal)
  #agent: MqttAgent | undefined
  #telemetry: NodeJS.Timeout | undefined
  #delivery: Promise<void> | undefined
  #meterWh: number
  #meteredWh = 0
  #powerW = 0
  #limitW = Number.POSITIVE_INFINITY
  #stopReason: string | undefined

  constructor(settings: MqttEvseSettings) {
    this.#settings = settings
    this.name = settings.name
    this.slot = settings.slot
    this.#meterWh = settings.meterWh ?? 0
  }

  /** Connects, and delivers from now on. */
  start(): void {
    this.restore()
    const { telemetryHz = 5 } = this.#settings
    if (telemetryHz > 0) this.#telemetry = setInterval(() => this.#sendTelemetry(), 1_000 / telemetryHz)
    this.#delivery = this.#deliver()
  }

  /** Energy of all records it signed, Wh. */
  get meteredWh(): number {
    return this.#meteredWh
  }

  /** Records without an answer. */
  get waiting(): number {
    return this.#waiting.length
  }

  get answers(): readonly AnsweredRecord[] {
    return this.#answers
  }

  /** What the gateway found wrong with its messages. */
  get errors(): readonly ErrorPayload[] {
    return this.#errors
  }

  /** What it feeds in: what it was set to, and no more than it was told. */
  get powerW(): number {
    return this.#stopReason === undefined ? Math.min(this.#powerW, this.#limitW) : 0
  }

  set powerW(watts: number) {
    this.#powerW = watts
  }

  /** Reason of the stop that it obeyed. */
  get stopReason(): string | undefined {
    return this.#stopReason
  }

  get isConnected(): boolean {
    return this.#agent?.isUp === true
  }

  /** Moves the register on, signs the record and sends it. */
  feed(span: Span): Uint8Array {
    const { signer, place, slot } = this.#settings
    this.#meterWh += span.energyWh
    this.#meteredWh += span.energyWh
    const row = signer.signRecord({ ...span, evse: slot, meterEndWh: this.#meterWh }, place)
    this.#waiting.push(row)
    this.#timer.poke()
    return row
  }

  /** Sends the last `count` delivered rows again, as a device does that lost its own notes. Resolves with the answers. */
  async repeat(count: number): Promise<readonly AnsweredRecord[]> {
    const rows = this.#sent.slice(-count)
    if (rows.length === 0 || this.#agent === undefined) return []
    return await this.#agent.records.submit({ lane: this.#settings.lane, rows: Buffer.concat(rows) })
  }

  /** The network is gone, without a goodbye; it goes on metering and keeps its records. */
  async cutLink(): Promise<void> {
    const agent = this.#agent
    this.#agent = undefined
    await agent?.close({ isLost: true })
  }

  restore(): void {
    if (this.#agent !== undefined || this.#stopping.signal.aborted) return
    const { broker, name, lane, receipts, log, now, recordsQos, timeoutMs = 3_000 } = this.#settings
    const settings: MqttAgentSettings = {
      broker: { ...broker, username: broker.username ?? name },
      address: { lane, evse: name },
      receipts,
      retry: { attempts: 1 },
      timeoutMs,
      controls: this.#controls(),
      onError: (error) => this.#errors.push(error),
      ...(recordsQos && { recordsQos }),
      ...(now && { now }),
      log,
    }
    this.#agent = openMqttAgent(settings)
    this.#timer.poke()
  }

  /** Resolves when every record has its answer. */
  async whenDelivered(): Promise<void> {
    while (this.#waiting.length > 0) await new Promise<void>((resolve) => this.#idle.add(resolve))
  }

  async close(): Promise<void> {
    clearInterval(this.#telemetry)
    this.#stopping.abort()
    await this.#agent?.close()
    this.#agent = undefined
    await this.#delivery
  }

  async #deliver(): Promise<void> {
    const { lane, log } = this.#settings
    while (!this.#stopping.signal.aborted) {
      const agent = this.#agent
      const rows = this.#waiting.slice(0, ROWS_A_MESSAGE)
      if (agent === undefined || rows.length === 0) {
        await this.#timer.pause(60_000)
        continue
      }
      try {
        const answers = await agent.records.submit({ lane, rows: Buffer.concat(rows), signal: this.#stopping.signal })
        this.#waiting.splice(0, rows.length)
        this.#sent.push(...rows)
        this.#answers.push(...answers)
        for (const resume of this.#idle) resume()
        this.#idle.clear()
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        if (!(error instanceof SubmitError)) throw error
        log.debug({ err: error, evse: this.name }, 'records are sent again')
        await this.#timer.pause(RETRY_MS)
      }
    }
  }

  #sendTelemetry(): void {
    const now = this.#settings.now ?? Date.now
    const isFeeding = this.#stopReason === undefined && this.powerW > 0
    this.#agent?.telemetry({
      atMs: now(),
      powerW: this.powerW,
      tempC: 31,
      gridVoltageV: 230,
      gridFrequencyHz: 50,
      plcSnrDb: 24,
      contactorClosed: isFeeding,
    })
  }

  #controls(): CommandPort {
    return {
      setLimit: async (_evse, watts) => {
        this.#limitW = watts
        return 'ACCEPTED'
      },
      stop: async (_evse, reason) => {
        this.#stopReason = reason
        return 'ACCEPTED'
      },
    }
  }
}
