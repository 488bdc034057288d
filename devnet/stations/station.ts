import { randomUUID } from 'node:crypto'
import { ChargingLimits } from './chargingLimits.ts'
import type { Dialect, ReadingContext, SignedByMeter, StationTransaction, TransactionStep } from './dialect.ts'
import { dialect2 } from './dialect2.ts'
import { dialect16 } from './dialect16.ts'
import { MessageQueue } from './messageQueue.ts'
import { answerCommands } from './stationCommands.ts'
import { createLink, type LinkSettings, type StationLink } from './stationLink.ts'
import { StationMeter } from './stationMeter.ts'

export interface StationSettings extends LinkSettings {
  /** Default [1]. */
  readonly evseIds?: readonly number[]
  /** Of the meters, when the station is made, 10^-3 Wh. Default 0. */
  readonly startMilliWh?: number
  /** The station's clock, milliseconds since the Unix epoch. */
  readonly now: () => number
  /** Answers Accepted to limits and stops, and goes on as before. Default false. */
  readonly disobeys?: boolean
  /** Begins to count messages from 0 again after a reboot within a transaction, as some do. Default false. */
  readonly restartsSeqNo?: boolean
  /** Whether to send a message a second time although it was answered. Default never. */
  readonly repeats?: () => boolean
  /** Before a message that was refused is sent again. Default 1 s. */
  readonly retryMs?: number
  /** Makes the signed value for a register of this moment. */
  readonly sign?: (evseId: number, exportMilliWh: number, atMs: number) => SignedByMeter
  readonly onCommand?: (action: string, params: unknown) => void
}

interface Evse {
  readonly meter: StationMeter
  /** What the car would give, W. */
  wantedW: number
  soc: number | undefined
  tempC: number | undefined
  transaction: StationTransaction | undefined
}

/** A charging station with cars that discharge: a real WebSocket, meters of its own, and a queue that outlives its link. */
export class SimulatedStation {
  readonly id: string
  readonly limits = new ChargingLimits()
  /** Set by the central system: `Component.Variable`, in OCPP 1.6 the key. */
  readonly variables = new Map<string, string>()
  readonly #settings: StationSettings
  readonly #dialect: Dialect
  readonly #evses = new Map<number, Evse>()
  readonly #queue: MessageQueue
  #link: StationLink | undefined
  #offlineSinceMs: number

  constructor(settings: StationSettings) {
    this.id = settings.id
    this.#settings = settings
    this.#offlineSinceMs = settings.now()
    this.#dialect = settings.version === 'ocpp1.6' ? dialect16() : dialect2()
    for (const evseId of settings.evseIds ?? [1]) {
      const meter = new StationMeter(settings.now(), settings.startMilliWh)
      this.#evses.set(evseId, { meter, wantedW: 0, soc: undefined, tempC: undefined, transaction: undefined })
    }
    this.#queue = new MessageQueue({
      send: (action, params) => this.call(action, params),
      retryMs: settings.retryMs ?? 1_000,
      repeats: settings.repeats ?? (() => false),
    })
  }

  get connected(): boolean {
    return this.#link !== undefined
  }

  /** Messages that are not answered yet. */
  get queued(): number {
    return this.#queue.size
  }

  /** Connects, boots, and sends what waits. Rejects when the gateway does not let it in. */
  async boot(): Promise<void> {
    await this.#connect()
    const { action, params } = this.#dialect.boot()
    await this.call(action, params)
    for (const evseId of this.#evses.keys()) {
      const status = this.#dialect.available(evseId, this.#settings.now())
      await this.call(status.action, status.params)
    }
    this.#queue.open()
  }

  /** The line is dead at once; nothing is said. */
  cutLink(): void {
    const link = this.#link
    this.#lost(link)
    link?.close({ force: true }).catch(() => {})
  }

  /** As after a cut: no boot; what waited is sent. */
  async restore(): Promise<void> {
    await this.#connect()
    this.#queue.open()
  }

  /** Off and on again within its transactions, which go on. */
  async reboot(): Promise<void> {
    this.cutLink()
    if (this.#settings.restartsSeqNo === true) {
      for (const { transaction } of this.#evses.values()) if (transaction !== undefined) transaction.nextSeqNo = 0
    }
    await this.boot()
  }

  /** Resolves when the gateway has answered everything. */
  drained(): Promise<void> {
    return this.#queue.emptied()
  }

  async close(): Promise<void> {
    const link = this.#link
    this.#lost(link)
    await link?.close({ code: 1000 })
  }

  plugIn(evseId: number, token: string, soc?: number): StationTransaction {
    const evse = this.#evse(evseId)
    if (evse.transaction !== undefined) throw new Error(`EVSE ${evseId} of ${this.id} is taken`)
    evse.transaction = { evseId, token, id: randomUUID(), nextSeqNo: 0 }
    evse.soc = soc
    this.#say(evse, evse.transaction, 'Started', 'Transaction.Begin')
    return evse.transaction
  }

  /** The car gives so much from now on, as far as limits let it. */
  discharge(evseId: number, watts: number): void {
    this.#evse(evseId).wantedW = watts
    this.#settle()
  }

  setSoc(evseId: number, soc: number): void {
    this.#evse(evseId).soc = soc
  }

  /** Told with every reading from now on, °C. */
  setTemperature(evseId: number, tempC: number): void {
    this.#evse(evseId).tempC = tempC
  }

  /** Sends a reading of an open transaction; does nothing without one. */
  sample(evseId: number, context: ReadingContext = 'Sample.Periodic'): void {
    const evse = this.#evse(evseId)
    if (evse.transaction !== undefined) this.#say(evse, evse.transaction, 'Updated', context)
  }

  unplug(evseId: number): void {
    const evse = this.#evse(evseId)
    const { transaction } = evse
    if (transaction === undefined) return
    evse.wantedW = 0
    this.#settle()
    this.#say(evse, transaction, 'Ended', 'Transaction.End')
    evse.transaction = undefined
    this.limits.ended(transaction.id)
  }

  meter(evseId: number): StationMeter {
    this.#settle()
    return this.#evse(evseId).meter
  }

  transaction(evseId: number): StationTransaction | undefined {
    return this.#evse(evseId).transaction
  }

  /** Any call, past the queue. */
  async call(action: string, params: object): Promise<unknown> {
    if (this.#link === undefined) throw new Error(`${this.id} has no link`)
    return this.#link.call(action, params)
  }

  /** Sends bytes as they are: for trying what a gateway makes of nonsense. */
  sendRaw(message: string): void {
    this.#link?.sendRaw(message)
  }

  #evse(evseId: number): Evse {
    const evse = this.#evses.get(evseId)
    if (evse === undefined) throw new Error(`${this.id} has no EVSE ${evseId}`)
    return evse
  }

  /** Counts energy up to now, then takes the limits as they are now. */
  #settle(): void {
    const nowMs = this.#settings.now()
    const offlineMs = this.connected ? 0 : nowMs - this.#offlineSinceMs
    for (const [evseId, { meter, wantedW, transaction }] of this.#evses) {
      const limitW = this.limits.watts(evseId, transaction?.id, offlineMs)
      const limited = limitW !== undefined && this.#settings.disobeys !== true
      meter.setPower(nowMs, limited ? Math.min(wantedW, limitW) : wantedW)
    }
  }

  #say(evse: Evse, transaction: StationTransaction, step: TransactionStep, context: ReadingContext): void {
    this.#settle()
    const atMs = this.#settings.now()
    const exportMilliWh = evse.meter.registerMilliWh()
    const sample = {
      atMs,
      context,
      exportMilliWh,
      soc: evse.soc,
      tempC: evse.tempC,
      powerW: evse.meter.powerW,
      voltageV: 230,
      frequencyHz: 50,
      signed: this.#settings.sign?.(transaction.evseId, exportMilliWh, atMs),
    }
    const moment = { step, transaction, seqNo: transaction.nextSeqNo++, atMs, offline: !this.connected, sample }
    const before = this.#dialect.before(moment)
    const sayBefore = (): void => {
      if (before !== undefined) this.#queue.push({ action: before.action, params: () => before.params })
    }
    sayBefore()
    const message = this.#dialect.step(moment)
    this.#queue.push({ ...message, answered: (answer) => this.#dialect.answered(moment, answer) })
    // A report that is not about a transaction may be forgotten by a gateway that dies: the first is told once more within it.
    if (step === 'Started') sayBefore()
  }

  async #connect(): Promise<void> {
    if (this.connected) return
    const link = createLink(this.#settings)
    answerCommands(link, this.#settings.version, {
      variables: this.variables,
      setProfile: (evseId, profile) => {
        this.#settle()
        this.limits.set(evseId, profile)
        this.#settle()
      },
      clearProfiles: (evseId) => {
        this.#settle()
        const cleared = this.limits.clear(evseId)
        this.#settle()
        return cleared
      },
      stopTransaction: (transaction) => this.#stop(transaction),
      trigger: (evseId) => {
        setImmediate(() => {
          for (const [id] of this.#evses) if (evseId === undefined || evseId === id) this.sample(id)
        })
      },
      reset: () => {
        setImmediate(() => void this.reboot().catch(() => {})) // a gateway that is gone by then is found again by restore()
      },
      saw: (action, params) => this.#settings.onCommand?.(action, params),
    })
    await link.connect()
    link.once('close', () => this.#lost(link))
    this.#link = link
  }

  #stop(id: string): boolean {
    for (const [evseId, { transaction }] of this.#evses) {
      if (transaction?.id !== id) continue
      if (this.#settings.disobeys !== true) setImmediate(() => this.unplug(evseId))
      return true
    }
    return false
  }

  #lost(link: StationLink | undefined): void {
    if (link === undefined || this.#link !== link) return
    this.#link = undefined
    this.#offlineSinceMs = this.#settings.now()
    this.#queue.close()
  }
}
