import { PERIOD_SECONDS } from '../../../protocol/limits.ts'
import { asksForDischarge, type GridPicture, type Span } from './gridEvent.ts'
import { coveredSeconds, periodPrice } from './periodPrices.ts'
import { nanoFloor } from './price.ts'

export interface ZoneRules {
  /** Sources of prices, the most trusted first: the first that prices a period decides. */
  readonly prices: readonly string[]
  /** Sources whose events open the gate. */
  readonly events: readonly string[]
  readonly pricing: 'event-only' | 'always'
  /** Of a period that an event covers in part: paid in full, or not at all. */
  readonly partialPeriods: 'exclude' | 'include'
}

/** What L1 should say of a period. */
export type PeriodVerdict =
  /** 10^-9 token per Wh; 0: the market's price is not above nothing. */
  | { readonly kind: 'price'; readonly nano: number; readonly source: string }
  /** No grid event: 0. */
  | { readonly kind: 'closed' }
  /** A grid event, or always paid, but nobody says what: L1 is left as it is. */
  | { readonly kind: 'unpriced' }
  /** The price is beyond what L1 can hold. */
  | { readonly kind: 'tooHigh'; readonly source: string }
  /** A source of events has not answered yet, and no other opens the gate. */
  | { readonly kind: 'unknown' }

/** Pure: pictures in, verdict out. */
export function verdictOf(rules: ZoneRules, pictures: ReadonlyMap<string, GridPicture>, period: number): PeriodVerdict {
  let priced: { nano: number | undefined; source: string; opensGate: boolean } | undefined
  for (const source of rules.prices) {
    const found = periodPrice(pictures.get(source)?.prices ?? [], period)
    if (found === undefined) continue
    priced = { nano: nanoFloor(found.attoPerWh), source, opensGate: found.opensGate }
    break
  }
  if (rules.pricing === 'event-only' && priced?.opensGate !== true) {
    const gate = gateOf(rules, pictures, period)
    if (gate !== 'open') return { kind: gate }
  }
  if (priced === undefined) return { kind: 'unpriced' }
  if (priced.nano === undefined) return { kind: 'tooHigh', source: priced.source }
  return { kind: 'price', nano: priced.nano, source: priced.source }
}

function gateOf(
  rules: ZoneRules,
  pictures: ReadonlyMap<string, GridPicture>,
  period: number,
): 'open' | 'closed' | 'unknown' {
  const spans: Span[] = []
  let isAllKnown = true
  for (const source of rules.events) {
    const picture = pictures.get(source)
    isAllKnown &&= picture?.isKnown === true
    for (const event of picture?.events ?? []) {
      for (const control of event.controls) if (asksForDischarge(control)) spans.push(control.nominal)
    }
  }
  const covered = coveredSeconds(spans, period)
  if (covered === PERIOD_SECONDS || (covered > 0 && rules.partialPeriods === 'include')) return 'open'
  // A price source that has not answered might have opened it as well.
  const mightPrice = rules.prices.some((source) => pictures.get(source)?.isKnown !== true)
  return isAllKnown && !mightPrice ? 'closed' : 'unknown'
}
