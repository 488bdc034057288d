import { MAX_COUNTED } from './limits.ts'

const WINDOW_MS = 60_000
/** OCPP allows 48 (2.0.1 part 4, 3.1.1). A stranger's URL may hold 16 KB, and is not kept. */
const MAX_COUNTED_CHARS = 64

/**
 * Failures in the last minute. One counts by host and station together, so that a stranger who fails in a station's name does not lock the station
 * out; a host as a whole has more room, since a site's stations may share an address.
 */
export class FailedAttempts {
  readonly #limit: number
  readonly #hostLimit: number
  readonly #now: () => number
  readonly #failures = new Map<string, { count: number; sinceMs: number }>()

  constructor(settings: { limit: number; hostLimit: number; now: () => number }) {
    this.#limit = settings.limit
    this.#hostLimit = settings.hostLimit
    this.#now = settings.now
  }

  mayTry(host: string, station: string): boolean {
    return this.#count(host) < this.#hostLimit && this.#count(keyOf(host, station)) < this.#limit
  }

  failed(host: string, station: string): void {
    this.#add(host)
    this.#add(keyOf(host, station))
  }

  #count(key: string): number {
    const entry = this.#failures.get(key)
    if (entry === undefined) return 0
    const ageMs = this.#now() - entry.sinceMs
    if (ageMs >= 0 && ageMs < WINDOW_MS) return entry.count
    this.#failures.delete(key)
    return 0
  }

  #add(key: string): void {
    const count = this.#count(key)
    const sinceMs = count === 0 ? this.#now() : this.#failures.get(key)!.sinceMs
    this.#failures.delete(key)
    this.#failures.set(key, { count: count + 1, sinceMs })
    if (this.#failures.size > MAX_COUNTED) this.#failures.delete(this.#failures.keys().next().value!)
  }
}

function keyOf(host: string, station: string): string {
  // Copied: a part of a string keeps the whole one in memory.
  return `${host} ${Buffer.from(station.slice(0, MAX_COUNTED_CHARS))}`
}
