import { BackfeedError } from '../../runtime/errors.ts'
import type { EdgeProblem } from '../problem.ts'
import { distanceM, type Position } from './geofence.ts'

export interface FenceSettings {
  /** Degrees: where the EVSE is registered. */
  readonly registered: Position
  readonly radiusM: number
  /** How old a position fix may be, ms. Undefined: it is mounted where it is registered, and needs none. */
  readonly maxAgeMs: number | undefined
  readonly monotonicMs: () => number
}

/** Where the EVSE is, and whether it may sign there: a signature says that the energy was fed in at the registered place (docs/protocol.md §4). */
export class OwnPosition {
  readonly #settings: FenceSettings
  #fix: { readonly position: Position; readonly atMs: number } | undefined

  constructor(settings: FenceSettings) {
    this.#settings = settings
  }

  /** A position fix, `ageMs` old. */
  take(position: Position, ageMs: number): void {
    const atMs = this.#settings.monotonicMs() - ageMs
    if (this.#fix === undefined || atMs >= this.#fix.atMs) this.#fix = { position, atMs }
  }

  problem(): EdgeProblem | undefined {
    const { registered, radiusM, maxAgeMs, monotonicMs } = this.#settings
    if (maxAgeMs === undefined) return undefined
    if (this.#fix === undefined) return { code: 'ERR_GEOFENCE', message: 'no position fix came yet' }
    const ageMs = monotonicMs() - this.#fix.atMs
    if (ageMs > maxAgeMs) {
      return { code: 'ERR_GEOFENCE', message: `the last position fix is ${Math.round(ageMs / 1_000)} s old` }
    }
    const awayM = distanceM(this.#fix.position, registered)
    if (awayM <= radiusM) return undefined
    const message = `it is ${Math.round(awayM)} m from its registered place, and its fence is ${radiusM} m`
    return { code: 'ERR_GEOFENCE', message }
  }

  /** @throws BackfeedError ERR_GEOFENCE, retryable: it may come back, or a fix may come */
  check(): void {
    const problem = this.problem()
    if (problem !== undefined) throw new BackfeedError(problem.code, problem.message, { retryable: true })
  }
}
