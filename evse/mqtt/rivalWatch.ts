import { BackfeedError } from '../../runtime/errors.ts'
import { GOOD_CONNECTION_MS, RIVAL_SHOWN_MS, SHORT_CONNECTIONS } from './limits.ts'

/** Reason of DISCONNECT (MQTT 5, 3.14.2.1): a client with our id has connected. */
const SESSION_TAKEN_OVER = 0x8e

/**
 * Notices another client of the same id. A broker lets one in by cutting the other, both come back, and so they take turns: each is up
 * most of the time it is looked at, so that what was seen is told for a while. MQTT 5 says why it cuts; 3.1.1 does not, and a line that
 * breaks or access rules that are broken look alike there.
 */
export class RivalWatch {
  readonly #clientId: string
  readonly #monotonicMs: () => number
  #stoodAtMs = 0
  #shortInARow = 0
  #takenOverMs = Number.NEGATIVE_INFINITY
  #cutShortMs = Number.NEGATIVE_INFINITY

  constructor(settings: { clientId: string; monotonicMs: () => number }) {
    this.#clientId = settings.clientId
    this.#monotonicMs = settings.monotonicMs
  }

  /** The broker ends the connection in words. */
  disconnected(reasonCode: number | undefined): void {
    if (reasonCode === SESSION_TAKEN_OVER) this.#takenOverMs = this.#monotonicMs()
  }

  stood(): void {
    this.#stoodAtMs = this.#monotonicMs()
  }

  /** A connection that stood has ended, and not by us. */
  cut(): void {
    const now = this.#monotonicMs()
    this.#shortInARow = now - this.#stoodAtMs < GOOD_CONNECTION_MS ? this.#shortInARow + 1 : 0
    if (this.#shortInARow >= SHORT_CONNECTIONS) this.#cutShortMs = now
  }

  /** MQTT_CLIENT_ID_SHARED, MQTT_CUT_SHORT */
  get problem(): BackfeedError | undefined {
    const now = this.#monotonicMs()
    if (now - this.#takenOverMs < RIVAL_SHOWN_MS) {
      const message = `another client connects as ${this.#clientId}, and the broker cuts this one: each needs an id of its own`
      return new BackfeedError('MQTT_CLIENT_ID_SHARED', message)
    }
    if (now - this.#cutShortMs < RIVAL_SHOWN_MS) {
      const message = `the broker cut ${this.#clientId} ${SHORT_CONNECTIONS} times in a row shortly after it let it in: does another client use this id?`
      return new BackfeedError('MQTT_CUT_SHORT', message, { retryable: true })
    }
    return undefined
  }
}
