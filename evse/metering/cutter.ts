import { PERIOD_INTERVALS } from '../../protocol/limits.ts'
import type { CutRules } from './config.ts'
import type { Draft, WithheldCode } from './draft.ts'
import { MAX_BOUNDARIES, type MeterState, type RegisterPoint, type Transaction } from './meterState.ts'
import { INTERVAL_MS, intervalCeil, intervalFloor, maxRecordWh, periodEnd } from './recordSize.ts'
import { forgetBefore, hottestIn } from './temperatures.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * Cuts the energy between register readings into spans of whole intervals that settlement takes (docs/protocol.md §5, checks 3 to 6).
 *
 * What was given away is always `cutWh`, whole watt-hours of the register: each draft takes from there on, so their sum is the register's
 * own difference whatever happens to messages. Works on a copy of the state that is thrown away when it cannot be made durable.
 */
export class Cutter {
  readonly state: Writable<MeterState>
  readonly drafts: Draft[] = []
  readonly #rules: CutRules

  constructor(state: MeterState, rules: CutRules) {
    this.state = { ...state }
    this.#rules = rules
  }

  /** A reading that goes on from the last one within the transaction: what the register rose belongs to it. */
  advance(to: RegisterPoint): void {
    const from = this.state.register
    if (from === undefined) throw new RangeError('a register advances from a reading')
    const { maxGapSeconds, recordIntervals } = this.#rules
    const rose = Math.floor(to.milliWh / 1_000) - Math.floor(from.milliWh / 1_000)
    const isOnePeriod = intervalFloor(to.atMs) < periodEnd(intervalFloor(from.atMs))
    if (to.atMs - from.atMs > maxGapSeconds * 1_000 && rose > 0 && !isOnePeriod) {
      this.#passGap(from, to)
      return
    }
    const next = (Math.floor(intervalFloor(from.atMs) / recordIntervals) + 1) * recordIntervals
    const last = intervalFloor(to.atMs) - (intervalFloor(to.atMs) % recordIntervals)
    for (let boundary = next; boundary <= last; boundary += recordIntervals) {
      // Nothing is left to give: the years of an idle charger are one step.
      if (this.state.cutWh === Math.floor(to.milliWh / 1_000)) boundary = last
      this.#cutAt(boundary, between(from, to, boundary * INTERVAL_MS))
    }
    this.state.register = to
  }

  /** Closes the open span at the last reading: the transaction is over, or nothing more is known of it. */
  flush(): void {
    const { register } = this.state
    if (register === undefined || this.state.transaction === undefined) return
    const energyWh = Math.floor(register.milliWh / 1_000) - this.state.cutWh
    if (energyWh > 0) {
      const span = this.#widened(Math.max(intervalCeil(register.atMs), this.state.spanStart + 1), energyWh, true)
      this.#give(span, energyWh, register.milliWh, 0)
    }
    this.#startSpanAt(Math.max(this.state.cutInterval, intervalFloor(register.atMs)))
  }

  /** A transaction begins to fill a span. */
  startSpan(atMs: number): void {
    this.#startSpanAt(Math.max(this.state.cutInterval, intervalFloor(atMs)))
  }

  /** Puts aside what the register rose from the last reading to `to`, which becomes the last reading. */
  withholdTo(to: RegisterPoint, code: WithheldCode, message: string): void {
    const { state } = this
    const toWh = Math.floor(to.milliWh / 1_000)
    const end = Math.max(state.cutInterval, intervalFloor(to.atMs))
    if (toWh > state.cutWh) {
      const fromMilliWh = this.#exported(state.register?.milliWh ?? to.milliWh)
      this.#withhold(
        { start: state.cutInterval, end, energyWh: toWh - state.cutWh, code, message, fromMilliWh },
        to.milliWh,
      )
    }
    state.cutWh = Math.max(state.cutWh, toWh)
    state.cutInterval = end
    state.register = to
    this.#startSpanAt(end)
  }

  #passGap(from: RegisterPoint, to: RegisterPoint): void {
    this.flush()
    this.state.cutInterval = Math.max(this.state.cutInterval, Math.min(intervalCeil(from.atMs), intervalFloor(to.atMs)))
    const minutes = Math.round((to.atMs - from.atMs) / 60_000)
    this.withholdTo(to, 'GAP_TOO_LONG', `no reading for ${minutes} minutes: nobody knows in which period it flowed`)
  }

  #cutAt(boundary: number, milliWh: number): void {
    const { state } = this
    if (boundary <= state.spanStart) return
    const energyWh = Math.floor(milliWh / 1_000) - state.cutWh
    const isPeriodEnd = boundary % PERIOD_INTERVALS === 0
    if (energyWh > maxRecordWh(this.#rules.ratedW, boundary - state.spanStart) && !isPeriodEnd) return // the next boundary takes both
    if (energyWh > 0) {
      const carryWh = this.#rules.meterResolutionWh + 1
      this.#give(this.#widened(boundary, energyWh, false), energyWh, milliWh, carryWh)
    }
    const point = { atMs: boundary * INTERVAL_MS, milliWh }
    state.boundaries = [...state.boundaries, point].slice(-MAX_BOUNDARIES)
    this.#startSpanAt(boundary)
  }

  /** Rounding to intervals can make an honest record look too powerful: it may reach into idle time within its period. */
  #widened(end: number, energyWh: number, mayEndLater: boolean): { start: number; end: number } {
    const { state } = this
    const { ratedW } = this.#rules
    let start = state.spanStart
    let wide = end
    const last = periodEnd(start)
    const isTooMuch = (): boolean => energyWh > maxRecordWh(ratedW, wide - start)
    while (mayEndLater && isTooMuch() && wide < last) wide++
    while (isTooMuch() && start > state.cutInterval && start % PERIOD_INTERVALS !== 0) start--
    return { start, end: wide }
  }

  /** Makes the draft of a span; what settlement would not take goes on to the next one (up to `carryWh`) or is put aside. */
  #give(span: { start: number; end: number }, energyWh: number, milliWh: number, carryWh: number): void {
    const { state } = this
    const transaction = state.transaction as Transaction
    const takenWh = Math.min(energyWh, maxRecordWh(this.#rules.ratedW, span.end - span.start))
    const exportedMilliWh = this.#exported(milliWh)
    if (transaction.trouble !== undefined) {
      const message = 'two transactions at once: nobody knows whose it is'
      this.#withhold({ ...span, energyWh, code: transaction.trouble, message, fromMilliWh: exportedMilliWh }, milliWh)
      state.cutWh += energyWh
    } else {
      if (takenWh > 0) {
        state.cutWh += takenWh
        this.drafts.push({
          kind: 'RECORD',
          number: state.nextDraft++,
          part: 0,
          transaction: transaction.id,
          ...span,
          energyWh: takenWh,
          meterEndWh: state.cutWh,
          exportedMilliWh,
          dropBp: transaction.gauge?.dropBp ?? 0,
          tempC: hottestIn(state.temperatures, span, this.#rules.maxGapSeconds * 1_000),
        })
      }
      const restWh = energyWh - takenWh
      if (restWh > carryWh) {
        const message = `more than ${this.#rules.ratedW} W can give in its intervals`
        this.#withhold(
          { ...span, energyWh: restWh, code: 'POWER_EXCEEDED', message, fromMilliWh: exportedMilliWh },
          milliWh,
        )
        state.cutWh += restWh
      }
    }
    state.cutInterval = Math.max(state.cutInterval, span.end)
  }

  #withhold(
    what: { start: number; end: number; energyWh: number; code: WithheldCode; message: string; fromMilliWh: number },
    milliWh: number,
  ): void {
    const { state } = this
    const { fromMilliWh, ...rest } = what
    this.drafts.push({
      kind: 'WITHHELD',
      number: state.nextDraft++,
      part: 0,
      transaction: state.transaction?.id,
      ...rest,
      meterEndWh: state.cutWh + what.energyWh,
      fromMilliWh,
      toMilliWh: this.#exported(milliWh),
      dropBp: state.transaction?.gauge?.dropBp ?? 0,
      tempC: hottestIn(state.temperatures, what, Number.POSITIVE_INFINITY),
    })
  }

  #exported(milliWh: number): number {
    return Math.max(0, milliWh - (this.state.transaction?.baseMilliWh ?? milliWh))
  }

  #startSpanAt(interval: number): void {
    const { state } = this
    state.spanStart = interval
    state.temperatures = forgetBefore(state.temperatures, interval, this.#rules.recordIntervals)
  }
}

/** The register at `atMs` if the power was constant between two readings, rounded down: rises with `atMs`, and never past `to`. */
function between(from: RegisterPoint, to: RegisterPoint, atMs: number): number {
  const share = (atMs - from.atMs) / (to.atMs - from.atMs)
  return Math.min(to.milliWh, from.milliWh + Math.floor((to.milliWh - from.milliWh) * share))
}
