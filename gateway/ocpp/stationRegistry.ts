import type { SourceProblem } from '../sourceStatus.ts'
import type { KnownStation } from './admission.ts'
import type { StationMemory, StationSession } from './session.ts'
import { StationClock } from './stationClock.ts'

/** A station that is away no longer than this restarts, or changes its network. */
const AWAY_MS = 300_000
/** Of those that are away, so many are named: with more it is the network. */
const MAX_AWAY_SHOWN = 32

/** Who is connected. As large as the list of stations. */
export class StationRegistry {
  readonly #stations: ReadonlyMap<string, KnownStation>
  readonly #clockLimitMs: number
  readonly #now: () => number
  readonly #openedMs: number
  readonly #sessions = new Map<string, StationSession>()
  readonly #memories = new Map<string, StationMemory>()
  readonly #leftMs = new Map<string, number>()

  constructor(settings: { stations: ReadonlyMap<string, KnownStation>; clockLimitMs: number; now: () => number }) {
    this.#stations = settings.stations
    this.#clockLimitMs = settings.clockLimitMs
    this.#now = settings.now
    this.#openedMs = settings.now()
  }

  get size(): number {
    return this.#sessions.size
  }

  session(station: string): StationSession | undefined {
    return this.#sessions.get(station)
  }

  memory(station: string): StationMemory {
    let memory = this.#memories.get(station)
    if (memory === undefined) {
      memory = { clock: new StationClock(this.#clockLimitMs), tail: Promise.resolve() }
      this.#memories.set(station, memory)
    }
    return memory
  }

  /** Returns the connection whose place it takes: a station that comes anew has lost the old one, whatever TCP believes. */
  entered(session: StationSession): StationSession | undefined {
    const before = this.#sessions.get(session.id)
    this.#sessions.set(session.id, session)
    this.#leftMs.delete(session.id)
    return before
  }

  left(session: StationSession): void {
    if (this.#sessions.get(session.id) !== session) return
    this.#sessions.delete(session.id)
    this.#leftMs.set(session.id, this.#now())
  }

  /** When all that came in has been dealt with, or time is up. */
  async drain(timeoutMs: number): Promise<void> {
    const tails = [...this.#memories.values()].map(({ tail }) => tail)
    let timer: NodeJS.Timeout | undefined
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs)
    })
    await Promise.race([Promise.all(tails), timeout])
    clearTimeout(timer)
  }

  problems(): SourceProblem[] {
    const nowMs = this.#now()
    const problems: SourceProblem[] = []
    for (const { id } of this.#stations.values()) {
      const session = this.#sessions.get(id)
      if (session === undefined) {
        const awayMs = nowMs - (this.#leftMs.get(id) ?? this.#openedMs)
        if (awayMs < AWAY_MS || problems.length >= MAX_AWAY_SHOWN) continue
        problems.push({
          code: 'STATION_OFFLINE',
          message: `${id}: not connected for ${Math.floor(awayMs / 60_000)} min`,
        })
      } else if (session.certificateEndMs !== undefined && session.certificateEndMs <= nowMs) {
        const end = new Date(session.certificateEndMs).toISOString()
        problems.push({
          code: 'ERR_AUTH_EXPIRED',
          message: `${id}: its certificate expired at ${end}; it cannot connect again`,
        })
      }
    }
    return problems
  }
}
