import { NOTICE_SECONDS, PERIOD_SECONDS } from '../../../protocol/limits.ts'
import type { PeriodVerdict } from '../model/zonePrices.ts'

export interface PriceBookRules {
  readonly leadSeconds: number
  readonly graceSeconds: number
}

/** A period that is frozen with another price than it should have. */
export interface MissedPeriod {
  readonly period: number
  readonly wantedNano: number
  readonly onL1Nano: number
  /** Its price was known when it could still be set. False: it became known too late for anybody. */
  readonly wasInTime: boolean
}

export interface PriceFindings {
  /** What must be written: period → 10^-9 token per Wh. */
  readonly toWrite: ReadonlyMap<number, number>
  /** Known, due, not on L1, and not frozen yet. */
  readonly late: readonly number[]
  /** Found missed by this look, once each. */
  readonly missed: readonly MissedPeriod[]
  /** Due or frozen, running or to come, and nobody says a price. */
  readonly missing: readonly number[]
  /** Of them, those whose price is beyond what L1 holds. */
  readonly tooHigh: readonly number[]
}

/**
 * One zone's account of what was to be published and what was. Pure, but for remembering when each verdict was first heard: who
 * is late can only be told by what was known when. After a restart everything known counts as heard at the start.
 */
export class PriceBook {
  readonly #rules: PriceBookRules
  readonly #heard = new Map<number, { nano: number; sinceSeconds: number }>()
  readonly #missed = new Map<number, MissedPeriod>()
  #firstLookSeconds: number | undefined

  constructor(rules: PriceBookRules) {
    this.#rules = rules
  }

  /** Periods of the last day that were missed. */
  get missed(): readonly MissedPeriod[] {
    return [...this.#missed.values()]
  }

  /** First period that is over or running at most, so that what is frozen is looked at until it is over. */
  static firstLooked(nowSeconds: number): number {
    return Math.floor(nowSeconds / PERIOD_SECONDS)
  }

  /** First period that L1 still takes a price for, by the contract's rule: start ≥ now + 30 min. */
  static firstOpen(nowSeconds: number): number {
    return Math.ceil((nowSeconds + NOTICE_SECONDS) / PERIOD_SECONDS)
  }

  look(
    nowSeconds: number,
    verdicts: ReadonlyMap<number, PeriodVerdict>,
    onL1: ReadonlyMap<number, number>,
  ): PriceFindings {
    const firstOpen = PriceBook.firstOpen(nowSeconds)
    this.#firstLookSeconds ??= nowSeconds
    // Sources need a moment to answer for the first time.
    const hasSettled = nowSeconds >= this.#firstLookSeconds + this.#rules.graceSeconds
    const { leadSeconds, graceSeconds } = this.#rules
    const toWrite = new Map<number, number>()
    const late: number[] = []
    const missed: MissedPeriod[] = []
    const missing: number[] = []
    const tooHigh: number[] = []
    for (const [period, verdict] of verdicts) {
      const start = period * PERIOD_SECONDS
      const isDue = nowSeconds >= start - leadSeconds
      const wantedNano = nanoOf(verdict)
      const onL1Nano = onL1.get(period)
      if (wantedNano === undefined) {
        if (isDue && (hasSettled || verdict.kind !== 'unknown')) missing.push(period)
        if (isDue && verdict.kind === 'tooHigh') tooHigh.push(period)
        continue
      }
      const heard = this.#hear(period, wantedNano, nowSeconds)
      if (onL1Nano === undefined || onL1Nano === wantedNano) continue
      if (period >= firstOpen) {
        toWrite.set(period, wantedNano)
        if (isDue && nowSeconds >= Math.max(start - leadSeconds, heard + graceSeconds)) late.push(period)
      } else if (!this.#isNoted(period, wantedNano)) {
        const wasInTime = heard <= start - NOTICE_SECONDS - graceSeconds
        const miss = { period, wantedNano, onL1Nano, wasInTime }
        this.#missed.set(period, miss)
        missed.push(miss)
      }
    }
    this.#forget(nowSeconds)
    return { toWrite, late, missed, missing, tooHigh }
  }

  #hear(period: number, nano: number, nowSeconds: number): number {
    const known = this.#heard.get(period)
    if (known?.nano === nano) return known.sinceSeconds
    this.#heard.set(period, { nano, sinceSeconds: nowSeconds })
    return nowSeconds
  }

  #isNoted(period: number, wantedNano: number): boolean {
    return this.#missed.get(period)?.wantedNano === wantedNano
  }

  #forget(nowSeconds: number): void {
    for (const period of this.#heard.keys()) {
      if ((period + 1) * PERIOD_SECONDS < nowSeconds) this.#heard.delete(period)
    }
    for (const period of this.#missed.keys()) {
      if (period * PERIOD_SECONDS < nowSeconds - KEPT_MISSES_SECONDS) this.#missed.delete(period)
    }
  }
}

const KEPT_MISSES_SECONDS = 86_400

function nanoOf(verdict: PeriodVerdict): number | undefined {
  switch (verdict.kind) {
    case 'price':
      return verdict.nano
    case 'closed':
      return 0
    case 'unpriced':
    case 'tooHigh':
    case 'unknown':
      return undefined
    default:
      return verdict satisfies never
  }
}
