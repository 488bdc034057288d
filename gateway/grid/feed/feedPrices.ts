import { parseCsvRows } from '../../../runtime/csvRows.ts'
import type { PriceInterval } from '../model/gridEvent.ts'
import { type AttoPerWh, type PriceUnit, parsePriceFloor } from '../model/price.ts'
import { MAX_FEED_ROWS } from '../limits.ts'
import { type FeedTime, parseFeedTime, type TimeFormat } from './feedTime.ts'
import type { TimeZone } from './zonedTime.ts'

export interface FeedFormat {
  readonly timeColumn: string
  readonly priceColumn: string
  readonly timeFormat: TimeFormat
  readonly unit: PriceUnit
  /** Which end of the interval the time names. */
  readonly stamp: 'beginning' | 'ending'
  readonly intervalSeconds: number
  /** Of times without an offset. */
  readonly zone: TimeZone
}

/** Rows that give no price, by reason, and the first of each for the log. */
export interface FeedFlaws {
  readonly count: number
  readonly first: string | undefined
}

export interface FeedPrices {
  readonly intervals: readonly PriceInterval[]
  readonly rows: number
  readonly flaws: FeedFlaws
}

/**
 * Prices of a CSV text. A row that cannot be read, or could mean two things, gives no price, and is counted: a gap is no price, and
 * money is not guessed. What one interval says twice with different prices has none; the same price twice is the same.
 *
 * The daylight-saving trap. A wall clock that changes has a day of 23 and one of 25 hours. It is the *start* of the interval that is
 * looked up (an hour-ending stamp less an hour, on the clock's face), since hour-ending files number the hours of that day by their start:
 *
 *                      stamp (ending)   start on the wall   instant
 *     autumn, 1st time      2:00              1:00          1:00 daylight time   the first of the two rows in the file
 *     autumn, 2nd time      2:00              1:00          1:00 standard time   the second
 *     spring                3:00              2:00          none: refused
 *
 * A start that the clock shows twice and the file has once could be either: refused. A feed whose clock does not change (24 rows
 * every day, as California's market files) wants a zone without daylight saving, such as `Etc/GMT+8`.
 *
 * @throws BackfeedError CSV_UNREADABLE: no CSV, or a column is missing.
 */
export function readFeedPrices(text: string, format: FeedFormat, origin: string): FeedPrices {
  const rows = parseCsvRows(text, [format.timeColumn, format.priceColumn], origin)
  const flaws = new FlawCount()
  const byStart = new Map<number, AttoPerWh | 'conflict'>()
  const note = (start: number, price: AttoPerWh, at: string): void => {
    const known = byStart.get(start)
    if (known === undefined) byStart.set(start, price)
    else if (known !== price) {
      byStart.set(start, 'conflict')
      flaws.add(`${at}: this interval has another price already`)
    }
  }
  /** Prices of starts that the clock shows twice, in the order of the file. */
  const twice = new Map<number, { prices: AttoPerWh[]; instants: number[]; at: string }>()
  for (const row of rows.slice(0, MAX_FEED_ROWS)) {
    const at = `${origin}, line ${row.lineNumber}`
    const time = parseFeedTime(row.cell(format.timeColumn), format.timeFormat)
    const price = parsePriceFloor(row.cell(format.priceColumn), format.unit)
    if (time === undefined) flaws.add(`${at}: "${row.cell(format.timeColumn)}" is no time`)
    else if (price === undefined) flaws.add(`${at}: "${row.cell(format.priceColumn)}" is no price`)
    else {
      const starts = startsOf(time, format)
      if (starts.length === 0) flaws.add(`${at}: the clock skips this time`)
      else if (starts.length === 1) note(starts[0]!, price, at)
      else {
        const seen = twice.get(starts[0]!)
        if (seen === undefined) twice.set(starts[0]!, { prices: [price], instants: starts, at })
        else seen.prices.push(price)
      }
    }
  }
  if (rows.length > MAX_FEED_ROWS) flaws.add(`${origin}: only the first ${MAX_FEED_ROWS} rows are read`)
  for (const { prices, instants, at } of twice.values()) {
    if (prices.length === instants.length) prices.forEach((price, i) => void note(instants[i]!, price, at))
    else flaws.add(`${at}: the clock shows this time ${instants.length} times, the feed ${prices.length}`)
  }
  return { intervals: intervalsOf(byStart, format.intervalSeconds, flaws), rows: rows.length, flaws: flaws.result() }
}

function startsOf(time: FeedTime, format: FeedFormat): number[] {
  const back = format.stamp === 'ending' ? format.intervalSeconds : 0
  return time.kind === 'instant' ? [time.seconds - back] : format.zone.instants(time.wall - back)
}

function intervalsOf(
  byStart: ReadonlyMap<number, AttoPerWh | 'conflict'>,
  intervalSeconds: number,
  flaws: FlawCount,
): PriceInterval[] {
  const sorted = [...byStart].sort(([a], [b]) => a - b)
  const intervals: PriceInterval[] = []
  sorted.forEach(([start, attoPerWh], i) => {
    const end = start + intervalSeconds
    const overlapsNext = (sorted[i + 1]?.[0] ?? end) < end
    const overlapsLast = i > 0 && sorted[i - 1]![0] + intervalSeconds > start
    if (overlapsNext || overlapsLast) flaws.add(`the interval from ${start} overlaps another`)
    else if (attoPerWh !== 'conflict') intervals.push({ start, end, attoPerWh, opensGate: false })
  })
  return intervals
}

class FlawCount {
  #count = 0
  #first: string | undefined

  add(text: string): void {
    this.#count++
    this.#first ??= text
  }

  result(): FeedFlaws {
    return { count: this.#count, first: this.#first }
  }
}
