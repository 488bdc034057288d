/** W × ms in 10^-3 Wh. */
const WATT_MS_PER_MILLI_WH = 3_600

/** The export register of one EVSE of a simulated station. Counts in whole W × ms, so that what was metered is known to the last digit. */
export class StationMeter {
  #wattMs: number
  #sinceMs: number
  #powerW = 0

  /** `startMilliWh`: what it showed when it was new here. */
  constructor(nowMs: number, startMilliWh = 0) {
    this.#sinceMs = nowMs
    this.#wattMs = startMilliWh * WATT_MS_PER_MILLI_WH
  }

  get powerW(): number {
    return this.#powerW
  }

  /** Counts up to `nowMs` with the power so far, and goes on with another. */
  setPower(nowMs: number, powerW: number): void {
    // A clock that was set back does not take energy back.
    if (nowMs > this.#sinceMs) this.#wattMs += this.#powerW * Math.round(nowMs - this.#sinceMs)
    this.#sinceMs = nowMs
    this.#powerW = Math.round(powerW)
  }

  /** Energy that came otherwise than by power over time, 10^-3 Wh. */
  add(milliWh: number): void {
    this.#wattMs += milliWh * WATT_MS_PER_MILLI_WH
  }

  /** What the meter shows, 10^-3 Wh, rounded down. */
  registerMilliWh(): number {
    return Math.floor(this.#wattMs / WATT_MS_PER_MILLI_WH)
  }
}
