/** A reading of a wall clock as seconds, as if it were UTC. */
export type WallSeconds = number

/**
 * A time zone with daylight saving, by the platform's database. A wall clock skips an hour once a year and shows one twice: `instants`
 * says which instants a reading can mean, none, one or two, the earlier first.
 */
export class TimeZone {
  readonly #format: Intl.DateTimeFormat
  /** Offsets change at whole quarter hours of UTC in every zone there is. */
  readonly #offsets = new Map<number, number>()

  /** @throws RangeError for a name that the platform does not know. */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  }

  /** Seconds since the epoch. */
  instants(wall: WallSeconds): number[] {
    const offsets = new Set([this.offsetSeconds(wall - 86_400), this.offsetSeconds(wall + 86_400)])
    return [...offsets]
      .map((offset) => wall - offset)
      .filter((instant) => this.offsetSeconds(instant) === wall - instant)
      .sort((a, b) => a - b)
  }

  /** What the wall clock is ahead of UTC at this instant. */
  offsetSeconds(instant: number): number {
    const quarter = Math.floor(instant / 900)
    const known = this.#offsets.get(quarter)
    if (known !== undefined) return known
    if (this.#offsets.size >= MAX_CACHED_OFFSETS) this.#offsets.clear()
    const at = quarter * 900
    const parts = this.#format.formatToParts(at * 1000)
    const value = (type: Intl.DateTimeFormatPartTypes): number =>
      Number(parts.find((part) => part.type === type)?.value ?? Number.NaN)
    const wall = Date.UTC(
      value('year'),
      value('month') - 1,
      value('day'),
      value('hour'),
      value('minute'),
      value('second'),
    )
    const offset = wall / 1000 - at
    this.#offsets.set(quarter, offset)
    return offset
  }
}

/** A year of quarter hours. */
const MAX_CACHED_OFFSETS = 40_000

export function isTimeZone(name: string): boolean {
  try {
    new TimeZone(name)
    return true
  } catch {
    return false
  }
}
