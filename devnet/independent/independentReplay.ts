import type { PlainRecord } from './independentSettlement.ts'

// The replay's discharges once more, straight from the two files' text: another way of reading them, of finding the dearest quarters and
// of counting days, sharing no code with `devnet/replay/`. The rules are those that README and docs/operations.md state.

export interface ReplayTerms {
  readonly ratedW: number
  readonly shareBps: number
  readonly depthBps: number
  readonly capacityWh: number
  /** Days of the year that are played, 0 = 1 January, `to` exclusive. */
  readonly days: { readonly from: number; readonly to: number }
}

export interface IndependentReplay {
  readonly sessions: number
  readonly records: readonly PlainRecord[]
  readonly priceNano: (period: bigint) => bigint
}

interface Stay {
  readonly from: bigint
  readonly to: bigint
  readonly wh: bigint
}

export function independentReplay(text: { sessions: string; prices: string }, terms: ReplayTerms): IndependentReplay {
  const { year, hours } = hourPrices(text.prices)
  const newYear = secondsAt(year, 1, 1)
  const stays = table(text.sessions)
    .map((line) => stayOf(line, year))
    .filter(
      ({ from }) =>
        from >= newYear + BigInt(terms.days.from) * 86_400n && from < newYear + BigInt(terms.days.to) * 86_400n,
    )
  stays.sort((a, b) => Number(a.from - b.from)) // stable: the file's order decides a tie
  const records: PlainRecord[] = []
  for (const [car, stay] of stays.entries()) records.push(...quartersOf(stay, car, hours, terms))
  return { sessions: stays.length, records, priceNano: (period) => hours.get(period / 4n) ?? 0n }
}

/** A charger of its own for every car: which of the real ones it was makes no difference to money. */
function quartersOf(stay: Stay, car: number, hours: ReadonlyMap<bigint, bigint>, terms: ReplayTerms): PlainRecord[] {
  const full = (BigInt(terms.ratedW) * 900n) / 3_600n
  const share = (stay.wh * BigInt(terms.shareBps)) / 10_000n
  const depth = (BigInt(terms.capacityWh) * BigInt(terms.depthBps)) / 10_000n
  let left = share < depth ? share : depth
  const taken = new Map<bigint, bigint>()
  const open = new Set<bigint>()
  for (let quarter = stay.from / 900n; quarter * 900n < stay.to; quarter++) {
    if (quarter * 900n >= stay.from && (quarter + 1n) * 900n <= stay.to) open.add(quarter)
  }
  // Picks the dearest quarter that is left, over and over.
  while (left > 0n) {
    let best: bigint | undefined
    for (const quarter of open) {
      const price = hours.get(quarter / 4n) ?? 0n
      if (price > 0n && (best === undefined || price > (hours.get(best / 4n) ?? 0n))) best = quarter
    }
    if (best === undefined) break
    open.delete(best)
    const wh = left < full ? left : full
    taken.set(best, wh)
    left -= wh
  }
  const records: PlainRecord[] = []
  let warm = 0
  for (let quarter = stay.from / 900n; quarter * 900n < stay.to; quarter++) {
    const wh = taken.get(quarter)
    warm = wh !== undefined && taken.has(quarter - 1n) ? warm + 1 : 0
    if (wh === undefined) continue
    records.push({
      evse: car,
      contract: car,
      start: Number(quarter) * 60,
      intervals: 60,
      energyWh: Number(wh),
      tempC: Math.min(56, 28 + 4 * warm),
    })
  }
  return records
}

function hourPrices(text: string): { year: number; hours: ReadonlyMap<bigint, bigint> } {
  const hours = new Map<bigint, bigint>()
  let year = 0
  for (const line of table(text)) {
    const [date, clock] = line[0]!.split(' ')
    const [month, day, lineYear] = date!.split('/').map(Number)
    if (year === 0) year = lineYear!
    const ends = secondsAt(lineYear!, month!, day!) + BigInt(clock!.slice(0, -3)) * 3_600n
    const nano = decimal(line[1]!, 6)
    hours.set(ends / 3_600n - 1n, nano > 0n ? nano : 0n)
  }
  return { year, hours }
}

function stayOf(line: readonly string[], year: number): Stay {
  const [arrives, leaves] = [wallClock(line[0]!), wallClock(line[1]!)]
  const feast = arrives.month === 2 && arrives.day === 29 && !leap(year)
  const from = secondsAt(year, arrives.month, feast ? 28 : arrives.day) + arrives.second
  const length =
    secondsAt(leaves.year, leaves.month, leaves.day) +
    leaves.second -
    secondsAt(arrives.year, arrives.month, arrives.day) -
    arrives.second
  return { from, to: from + length, wh: decimal(line[8]!, 3) }
}

function wallClock(text: string): { year: number; month: number; day: number; second: bigint } {
  const [year, month, day, hour, minute, second] = text.split(/[- :]/).map(Number)
  return { year: year!, month: month!, day: day!, second: BigInt(hour! * 3600 + minute! * 60 + second!) }
}

/** Days counted by hand. */
function secondsAt(year: number, month: number, day: number): bigint {
  let days = day - 1
  for (let y = 1970; y < year; y++) days += leap(y) ? 366 : 365
  for (let m = 1; m < month; m++) days += [31, leap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][m - 1]!
  return BigInt(days) * 86_400n
}

const leap = (year: number): boolean => year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)

/** Decimal text × 10^places, cut off: enough, since only what is positive counts. */
function decimal(text: string, places: number): bigint {
  const [whole, fraction = ''] = text.split('.')
  const digits = BigInt(`${whole!.replace('-', '')}${fraction.padEnd(places, '0').slice(0, places)}`)
  return text.startsWith('-') ? -digits : digits
}

function table(text: string): string[][] {
  return text
    .split(/\r?\n/)
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => line.split(',').map((cell) => cell.replaceAll('"', '')))
}
