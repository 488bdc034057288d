import type { SourceProblem } from '../sourceStatus.ts'
import { MAX_PROBLEMS, PROBLEM_SHOWN_MS } from './limits.ts'

export interface OcppProblem {
  readonly code: string
  readonly message: string
  readonly station: string
  readonly evse?: string | undefined
}

/** What an operator is shown: each problem once, the latest message, until it is over or an hour old. */
export class Problems {
  readonly #now: () => number
  readonly #shown = new Map<string, OcppProblem & { atMs: number; standing: boolean }>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** `standing`: shown until cleared. Returns whether it is new, which is when it belongs into the log. */
  raise(problem: OcppProblem, { standing = false } = {}): boolean {
    const key = keyOf(problem)
    const before = this.#shown.get(key)
    const atMs = this.#now()
    this.#shown.delete(key)
    this.#shown.set(key, { ...problem, atMs, standing })
    if (this.#shown.size > MAX_PROBLEMS) this.#shown.delete(this.#shown.keys().next().value!)
    return before === undefined || before.message !== problem.message || atMs - before.atMs > PROBLEM_SHOWN_MS
  }

  clear(problem: Omit<OcppProblem, 'message'>): void {
    this.#shown.delete(keyOf(problem))
  }

  list(): SourceProblem[] {
    const nowMs = this.#now()
    const list: SourceProblem[] = []
    for (const [key, { code, message, station, evse, atMs, standing }] of this.#shown) {
      if (!standing && nowMs - atMs > PROBLEM_SHOWN_MS) this.#shown.delete(key)
      else list.push({ code, message: `${station}: ${message}`, ...(evse === undefined ? {} : { evse }) })
    }
    return list
  }
}

function keyOf({ code, station, evse }: Omit<OcppProblem, 'message'>): string {
  return `${code} ${station} ${evse ?? ''}`
}
