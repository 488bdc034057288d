import { BackfeedError } from '../../runtime/errors.ts'
import { pause } from '../../runtime/wait.ts'
import type { OcppVersion } from '../../gateway/ocpp/config.ts'
import { SimulatedStation } from '../stations/station.ts'
import type { EveningCharger } from './charger.ts'
import type { Reading, Session } from './plan.ts'

export interface OcppChargerSettings {
  readonly evse: number
  readonly station: string
  readonly url: string
  readonly password: string
  readonly version: OcppVersion
  /** In the order of its clock; the first begins the evening. */
  readonly sessions: readonly Session[]
  readonly startSeconds: number
  readonly tokenOf: (contract: number) => string
  /** Begins to count messages anew after a reboot, as some do. */
  readonly restartsSeqNo: boolean
  /** A number in [0, 1) for choices of the station's own. */
  readonly random: () => number
  readonly signal: AbortSignal
}

/** OCPP counts a station's EVSEs from 1. */
const EVSE_ID = 1
/** Share of its messages that a station sends a second time, as one whose answer got lost. */
const REPEATED_SHARE = 0.03
const RECONNECT_MS = { least: 50, more: 300 } as const
/** Of the times when it comes back, so many with a boot. */
const REBOOT_SHARE = 0.3

/** A station on a real WebSocket that plays the sessions of one charger, and comes back whenever it can. */
export class OcppCharger implements EveningCharger {
  readonly evse: number
  readonly #settings: OcppChargerSettings
  readonly #station: SimulatedStation
  readonly #steps: readonly { readonly session: Session; readonly reading: Reading; readonly place: number }[]
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>
  #nowMs: number
  #next = 0
  #isCut = false
  #hasBooted = false

  constructor(settings: OcppChargerSettings) {
    const { evse, station: id, url, password, version, sessions, restartsSeqNo, random } = settings
    this.#settings = settings
    this.evse = evse
    this.#nowMs = settings.startSeconds * 1_000
    this.#steps = sessions.flatMap((session) => session.readings.map((reading, place) => ({ session, reading, place })))
    this.#station = new SimulatedStation({
      id,
      url,
      password,
      version,
      startMilliWh: sessions[0]!.readings[0]!.exportMilliWh,
      now: () => this.#nowMs,
      restartsSeqNo,
      repeats: () => random() < REPEATED_SHARE,
      retryMs: 200,
    })
    this.#running = this.#stayConnected()
  }

  get waiting(): number {
    return this.#station.queued
  }

  advance(toSeconds: number): void {
    for (; this.#next < this.#steps.length; this.#next++) {
      const { session, reading, place } = this.#steps[this.#next]!
      if (reading.atSeconds > toSeconds) return
      this.#nowMs = reading.atSeconds * 1_000
      this.#check(reading)
      const soc = reading.socBp / 100
      this.#station.setTemperature(EVSE_ID, reading.tempC)
      if (place === 0) {
        this.#station.plugIn(EVSE_ID, this.#settings.tokenOf(session.contract), soc)
        // StartTransaction has no place for an export register.
        if (this.#settings.version === 'ocpp1.6') this.#station.sample(EVSE_ID, 'Transaction.Begin')
      } else this.#station.setSoc(EVSE_ID, soc)
      const after = session.readings[place + 1]
      if (after === undefined) this.#station.unplug(EVSE_ID)
      else {
        if (place > 0) this.#station.sample(EVSE_ID, reading.atSeconds % 900 === 0 ? 'Sample.Clock' : 'Sample.Periodic')
        this.#station.discharge(EVSE_ID, after.powerW)
      }
    }
  }

  async cut(): Promise<void> {
    this.#isCut = true
    this.#station.cutLink()
  }

  restore(): void {
    this.#isCut = false
  }

  /** It repeats by itself, in the middle of its queue. */
  repeat(): void {}

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await this.#station.close()
  }

  /** The station's meter counts by itself, from power and time: it must show what the plan says, or the evening proves nothing. */
  #check(reading: Reading): void {
    const shown = this.#station.meter(EVSE_ID).registerMilliWh()
    if (shown === reading.exportMilliWh) return
    const message = `the meter of ${this.#station.id} shows ${shown} and not ${reading.exportMilliWh} mWh`
    throw new BackfeedError('EVENING_METER', message)
  }

  async #stayConnected(): Promise<void> {
    const signal = AbortSignal.any([this.#stopping.signal, this.#settings.signal])
    const { random } = this.#settings
    while (!signal.aborted) {
      if (!this.#station.connected && !this.#isCut) {
        try {
          if (this.#hasBooted && random() >= REBOOT_SHARE) await this.#station.restore()
          else if (this.#hasBooted) await this.#station.reboot()
          else await this.#station.boot()
          this.#hasBooted = true
        } catch {
          // The gateway is gone, or busy: it is tried again.
          this.#station.cutLink()
        }
      }
      await pause(RECONNECT_MS.least + random() * RECONNECT_MS.more, signal)
    }
  }
}
