import type { TimeReading } from './timeSource.ts'

export interface ClockRules {
  /** Further off than this is untrusted, ms. */
  readonly limitMs: number
  /** How much our oscillator may gain or lose, 10^-6. */
  readonly driftPpm: number
  /** Untrusted when the last good reading is older, ms. */
  readonly maxUncheckedMs: number
}

/** Both clocks at one moment, milliseconds. */
export interface Moment {
  readonly wallMs: number
  readonly monotonicMs: number
}

/** YES: the whole span was measured under a good clock. NO: never to be trusted. LATER: not known yet, or the clock is not good now. */
export type SpanVerdict = 'YES' | 'NO' | 'LATER'

type Range = readonly [fromMs: number, toMs: number]

/** What outlives the process. */
export interface SavedLedger {
  readonly lastGoodMs: number | undefined
  /** Since when the clock is in doubt, by its own time; undefined while it is good. */
  readonly openSinceMs: number | undefined
  readonly distrusted: readonly Range[]
  /** What began before this is not trusted: older ranges were forgotten. */
  readonly floorMs: number
}

/** Ranges kept: a clock that is bad more often needs a technician. */
const MAX_RANGES = 64

/**
 * When the wall clock was good, by readings of a source and by comparing it with the monotonic clock in between: a jump shows at once, drift is bounded.
 * A stretch without readings is good after all when the clock was good before and after it and did not jump.
 */
export class ClockLedger {
  readonly #rules: ClockRules
  readonly #started: Moment
  #lastGood: (Moment & { offsetMs: number }) | undefined
  #savedGoodMs: number | undefined
  #openSinceMs: number | undefined
  #distrusted: Range[]
  #floorMs: number
  /** The open doubt is no longer one: a reading or a jump proved it. */
  #broken: { readonly code: 'CLOCK_OFF' | 'CLOCK_JUMPED'; readonly offMs: number; readonly told: Range[] } | undefined
  #lastSeen: Moment
  /** The least and the most that the wall clock was seen to have gained on the monotonic one since the last good reading, or the start, ms. */
  #gained: Range = [0, 0]

  constructor(rules: ClockRules, saved: SavedLedger | undefined, at: Moment) {
    this.#rules = rules
    this.#started = at
    this.#lastSeen = at
    this.#savedGoodMs = saved?.lastGoodMs
    this.#distrusted = [...(saved?.distrusted ?? [])]
    this.#floorMs = saved?.floorMs ?? 0
    // A doubt cannot be bridged over a restart: nobody watched for jumps.
    if (saved?.openSinceMs !== undefined) this.#distrust([saved.openSinceMs, Math.max(saved.openSinceMs, at.wallMs)])
    this.#openSinceMs = at.wallMs
  }

  save(): SavedLedger {
    const lastGoodMs = this.#lastGood?.wallMs ?? this.#savedGoodMs
    // Nobody has looked at it yet, let alone measured by it.
    const isFresh = this.#lastSeen === this.#started
    const openSinceMs = isFresh ? undefined : this.#openSinceMs
    return { lastGoodMs, openSinceMs, distrusted: this.#distrusted, floorMs: this.#floorMs }
  }

  /** To be called every second or so, and before anything is decided. Returns whether the clock went from good to bad by it. */
  observe(at: Moment): boolean {
    if (this.#broken !== undefined) {
      this.#noteTold(this.#broken.told, at)
      return false
    }
    const offMs = this.#estimateMs(at)
    this.#gained = [Math.min(this.#gained[0], this.#gainedMs(at)), Math.max(this.#gained[1], this.#gainedMs(at))]
    if (Math.abs(offMs) > this.#rules.limitMs) {
      this.#break('CLOCK_JUMPED', offMs, at)
      return true
    }
    if (this.#openSinceMs !== undefined || this.#isChecked(at)) {
      this.#lastSeen = at
      return false
    }
    this.#openSinceMs = this.#lastGood!.wallMs
    this.#lastSeen = at
    return true
  }

  /** A reading of the source at this moment. */
  take({ offsetMs }: Pick<TimeReading, 'offsetMs'>, at: Moment): void {
    this.observe(at)
    if (Math.abs(offsetMs) > this.#rules.limitMs) {
      if (this.#broken === undefined) this.#break('CLOCK_OFF', offsetMs, at)
      else this.#broken = { ...this.#broken, offMs: offsetMs }
      return
    }
    const broken = this.#broken
    const isBridged =
      broken === undefined &&
      (this.#lastGood !== undefined || this.#driftMs(this.#started, at) <= this.#rules.limitMs) &&
      this.#worstSinceMs(offsetMs, at) <= this.#rules.limitMs
    if (this.#openSinceMs !== undefined && !isBridged) {
      this.#distrust([this.#openSinceMs, Math.max(this.#openSinceMs, at.wallMs)])
      for (const told of broken?.told ?? []) this.#distrust(told)
    }
    this.#broken = undefined
    this.#openSinceMs = undefined
    this.#lastGood = { ...at, offsetMs }
    this.#gained = [0, 0]
  }

  isTrusted(at: Moment): boolean {
    this.observe(at)
    return this.#openSinceMs === undefined
  }

  /** Why the clock is not trusted; undefined when it is. */
  doubt(at: Moment): string | undefined {
    if (this.isTrusted(at)) return undefined
    if (this.#broken === undefined) {
      if (this.#lastGood === undefined) return 'it was not compared with its source yet'
      const seconds = Math.round((at.monotonicMs - this.#lastGood.monotonicMs) / 1_000)
      return `it was last compared with its source ${seconds} s ago`
    }
    const how = this.#broken.code === 'CLOCK_JUMPED' ? 'it jumped, and is' : 'it is'
    return `${how} ${Math.abs(this.#broken.offMs).toFixed(0)} ms ${this.#broken.offMs > 0 ? 'behind' : 'ahead'}`
  }

  /** Since the last good reading of this process, ms; undefined before it. */
  uncheckedMs(at: Moment): number | undefined {
    return this.#lastGood === undefined ? undefined : at.monotonicMs - this.#lastGood.monotonicMs
  }

  /** Whether what carries times of this span may be signed. Milliseconds since the Unix epoch, by our clock. */
  judge([fromMs, toMs]: Range, at: Moment): SpanVerdict {
    const isTrusted = this.isTrusted(at)
    if (fromMs < this.#floorMs) return 'NO'
    if (this.#distrusted.some(([from, to]) => fromMs < to && toMs > from)) return 'NO'
    return isTrusted && toMs <= at.wallMs + this.#rules.limitMs ? 'YES' : 'LATER'
  }

  /** How far off the clock must be by now, if the monotonic clock is right. */
  #estimateMs(at: Moment): number {
    return (this.#lastGood?.offsetMs ?? 0) - this.#gainedMs(at)
  }

  #gainedMs(at: Moment): number {
    const base = this.#lastGood ?? this.#started
    return at.wallMs - base.wallMs - (at.monotonicMs - base.monotonicMs)
  }

  /** How far off it was at its worst since the last good reading, by a reading now: each step may be small, and their sum too much. */
  #worstSinceMs(offsetMs: number, at: Moment): number {
    const then = (gainedMs: number): number => Math.abs(offsetMs + this.#gainedMs(at) - gainedMs)
    return Math.max(then(this.#gained[0]), then(this.#gained[1]))
  }

  #isChecked(at: Moment): boolean {
    const good = this.#lastGood
    if (good === undefined || at.monotonicMs - good.monotonicMs > this.#rules.maxUncheckedMs) return false
    return Math.abs(this.#estimateMs(at)) + this.#driftMs(good, at) <= this.#rules.limitMs
  }

  #driftMs(from: Moment, to: Moment): number {
    return ((to.monotonicMs - from.monotonicMs) * this.#rules.driftPpm) / 1_000_000
  }

  #break(code: 'CLOCK_OFF' | 'CLOCK_JUMPED', offMs: number, at: Moment): void {
    // Nobody knows since when: everything after the last good reading is in doubt.
    this.#openSinceMs = this.#lastGood?.wallMs ?? this.#savedGoodMs ?? this.#started.wallMs
    this.#broken = { code, offMs, told: [[this.#started.wallMs, this.#started.wallMs]] }
    if (this.#lastGood !== undefined) this.#broken.told.pop()
    else this.#lastSeen = this.#started
    this.#noteTold(this.#broken.told, at)
  }

  /** Wall times that were told while it was wrong. After a jump it told, at the worst, all since it was looked at last. */
  #noteTold(told: Range[], at: Moment): void {
    const passedMs = at.monotonicMs - this.#lastSeen.monotonicMs
    const current = told.at(-1)
    const isJump = Math.abs(at.wallMs - this.#lastSeen.wallMs - passedMs) > this.#rules.limitMs
    if (current === undefined || isJump) told.push([at.wallMs - passedMs, at.wallMs])
    else told[told.length - 1] = [Math.min(current[0], at.wallMs), Math.max(current[1], at.wallMs)]
    if (told.length > MAX_RANGES)
      told.splice(0, 2, [Math.min(told[0]![0], told[1]![0]), Math.max(told[0]![1], told[1]![1])])
    this.#lastSeen = at
  }

  #distrust(range: Range): void {
    const touching = this.#distrusted.filter(([from, to]) => from <= range[1] && to >= range[0])
    const apart = this.#distrusted.filter((other) => !touching.includes(other))
    const merged: Range = [
      Math.min(range[0], ...touching.map(([from]) => from)),
      Math.max(range[1], ...touching.map(([, to]) => to)),
    ]
    this.#distrusted = [...apart, merged].sort(([a], [b]) => a - b)
    while (this.#distrusted.length > MAX_RANGES) this.#floorMs = Math.max(this.#floorMs, this.#distrusted.shift()![1])
  }
}
