import type { ReceiptVerifier } from '../../client/receiptVerifier.ts'
import { INTERVAL_SECONDS } from '../../protocol/limits.ts'
import type { Logger } from '../../runtime/log.ts'
import type { EvseSigner } from '../evseSigner.ts'
import { MqttEvse, type Span } from '../stations/mqttEvse.ts'
import { socDropFor } from '../terms.ts'
import type { EveningCharger } from './charger.ts'
import type { Session } from './plan.ts'

export interface MqttChargerSettings {
  readonly evse: number
  readonly name: string
  readonly lane: number
  readonly brokerUrl: string
  readonly sessions: readonly Session[]
  readonly capacityWhOf: (contract: number) => number
  readonly signer: EvseSigner
  readonly place: { readonly domain: Uint8Array; readonly lat: number; readonly lon: number }
  readonly receipts: ReceiptVerifier
  readonly now: () => number
  readonly log: Logger
}

/** Telemetry of a charger that nobody watches closely, a second. */
const TELEMETRY_HZ = 1
/** Rows that are sent a second time at once. */
const REPEATED_ROWS = 5

/** A charger that meters and signs by itself, a record a minute, and sends its records through a broker. */
export class MqttCharger implements EveningCharger {
  readonly evse: number
  readonly #device: MqttEvse
  readonly #spans: readonly { readonly untilSeconds: number; readonly span: Span; readonly powerW: number }[]
  #next = 0
  readonly #repeats = new Set<Promise<unknown>>()

  constructor(settings: MqttChargerSettings) {
    const { evse, name, lane, brokerUrl, sessions, signer, place, receipts, now, log } = settings
    this.evse = evse
    this.#spans = sessions.flatMap((session) => spansOf(session, settings.capacityWhOf(session.contract)))
    this.#device = new MqttEvse({
      broker: { url: brokerUrl, protocol: 'auto', keepaliveSeconds: 15 },
      name,
      lane,
      slot: evse,
      signer,
      place,
      receipts,
      meterWh: Math.floor(sessions[0]!.readings[0]!.exportMilliWh / 1_000),
      telemetryHz: TELEMETRY_HZ,
      now,
      log,
    })
    this.#device.start()
  }

  get waiting(): number {
    return this.#device.waiting
  }

  advance(toSeconds: number): void {
    for (; this.#next < this.#spans.length; this.#next++) {
      const { untilSeconds, span, powerW } = this.#spans[this.#next]!
      if (untilSeconds > toSeconds) return
      this.#device.powerW = powerW
      this.#device.feed(span)
    }
  }

  async cut(): Promise<void> {
    await this.#device.cutLink()
  }

  restore(): void {
    this.#device.restore()
  }

  repeat(): void {
    const repeated: Promise<unknown> = this.#device
      .repeat(REPEATED_ROWS)
      // The link may go meanwhile: the rows have their receipts.
      .catch(() => {})
      .finally(() => this.#repeats.delete(repeated))
    this.#repeats.add(repeated)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#device.close()
    await Promise.all(this.#repeats)
  }
}

/** From reading to reading; what is left below a watt-hour goes to the next. */
function spansOf(session: Session, capacityWh: number): { untilSeconds: number; span: Span; powerW: number }[] {
  return session.readings.slice(1).flatMap((after, i) => {
    const before = session.readings[i]!
    const energyWh = Math.floor(after.exportMilliWh / 1_000) - Math.floor(before.exportMilliWh / 1_000)
    if (energyWh === 0) return []
    const span = {
      contract: session.contract,
      start: before.atSeconds / INTERVAL_SECONDS,
      intervals: (after.atSeconds - before.atSeconds) / INTERVAL_SECONDS,
      energyWh,
      socDrop: socDropFor(energyWh, capacityWh),
      tempC: after.tempC,
    }
    return [{ untilSeconds: after.atSeconds, span, powerW: after.powerW }]
  })
}
