/** A charger of the evening, whatever it speaks: plays what its meter shows, and keeps every message until it is answered. */
export interface EveningCharger extends AsyncDisposable {
  readonly evse: number
  /** Its clock and meter go on to this second; messages are put on their way. */
  advance(toSeconds: number): void
  /** Messages or records that nobody has acknowledged yet. */
  readonly waiting: number
  /** The network is gone, without a goodbye. */
  cut(): Promise<void>
  restore(): void
  /** Sends something again that was acknowledged already. */
  repeat(): void
}
