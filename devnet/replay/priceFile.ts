import { MAX_PRICE_NANO, PERIOD_SECONDS } from '../../protocol/limits.ts'
import { type CsvRow, csvError, parseCsvRows, readCsvRows } from '../../runtime/csvRows.ts'
import { scaledFloor } from '../../runtime/decimal.ts'
import { checkedCivilTime, civilSeconds } from './sessionFile.ts'

/** A year of market prices by settlement period. */
export interface PriceYear {
  readonly year: number
  /** 10^-9 token per Wh, rounded down; 0 where the market price is zero or negative. Periods that are absent have no price. */
  readonly nanoByPeriod: ReadonlyMap<number, number>
  readonly hours: number
  readonly negativeHours: number
}

const TIME_COLUMN = 'Datetime (he)'
const PRICE_COLUMN = 'DA Price ($/kWh)'
const HOUR_SECONDS = 3600
/** $/kWh is 10^6 × 10^-9 $/Wh. */
const NANO_PLACES = 6

/**
 * Reads hourly day-ahead prices. `he` is *hour ending*: `1/1/2020 1:00` is the price from 0:00 to 1:00, and the last row of the file
 * is stamped with midnight of the next year. The file's clock has no daylight saving: every day has 24 rows. An hour that
 * comes twice is refused, since it could be either; one that is missing has no price, hence no event.
 */
export function readPriceFile(path: string): PriceYear {
  return pricesOf(readCsvRows(path, [TIME_COLUMN, PRICE_COLUMN]), path)
}

export function parsePrices(text: string, origin = 'prices'): PriceYear {
  return pricesOf(parseCsvRows(text, [TIME_COLUMN, PRICE_COLUMN], origin), origin)
}

function pricesOf(rows: readonly CsvRow[], origin: string): PriceYear {
  const nanoByPeriod = new Map<number, number>()
  let year: number | undefined
  let negativeHours = 0
  for (const row of rows) {
    const at = `${origin}, line ${row.lineNumber}`
    const fromSeconds = hourEnding(row.cell(TIME_COLUMN), at) - HOUR_SECONDS
    const rowYear = new Date(fromSeconds * 1000).getUTCFullYear()
    year ??= rowYear
    if (rowYear !== year) throw csvError(`${at}: prices of ${rowYear} in a file of ${year}`)
    const scaled = scaledFloor(row.cell(PRICE_COLUMN), NANO_PLACES)
    if (scaled === undefined) throw csvError(`${at}: "${row.cell(PRICE_COLUMN)}" is no price in $/kWh`)
    if (scaled < 0n) negativeHours++
    if (scaled >= BigInt(MAX_PRICE_NANO)) throw csvError(`${at}: the protocol has no room for so high a price`)
    const firstPeriod = fromSeconds / PERIOD_SECONDS
    if (nanoByPeriod.has(firstPeriod)) throw csvError(`${at}: this hour has a price already`)
    for (let i = 0; i < HOUR_SECONDS / PERIOD_SECONDS; i++) {
      nanoByPeriod.set(firstPeriod + i, scaled > 0n ? Number(scaled) : 0)
    }
  }
  if (year === undefined) throw csvError(`${origin} has no prices`)
  return { year, nanoByPeriod, hours: rows.length, negativeHours }
}

function hourEnding(text: string, at: string): number {
  const match = /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):00$/.exec(text)
  if (match === null) throw csvError(`${at}: "${text}" is not month/day/year hour:00`)
  const [month, day, year, hour] = match.slice(1).map(Number) as [number, number, number, number]
  return civilSeconds(checkedCivilTime({ year, month, day, hour, minute: 0, second: 0 }, at))
}
