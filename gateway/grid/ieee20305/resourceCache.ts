import { BackfeedError } from '../../../runtime/errors.ts'
import { MAX_RESOURCES } from '../limits.ts'

export interface Fetched<T> {
  readonly value: T
  /** Seconds that the server asks clients to wait between polls. */
  readonly pollSeconds: number | undefined
}

export interface CacheRules {
  /** Polls come no faster than this, whatever the server says, seconds. */
  readonly minPollSeconds: number
  /** And no slower: a server may say a day. */
  readonly maxPollSeconds: number
  /** Of resources without a pollRate of their own; the standard's default is 900. */
  readonly defaultPollSeconds: number
}

/** Resources of one server, each asked for again when its pollRate has passed. What a walk no longer visits is dropped. */
export class ResourceCache {
  readonly #rules: CacheRules
  readonly #now: () => number
  readonly #entries = new Map<string, { fetched: unknown; dueMs: number }>()
  #visited = new Set<string>()

  constructor(rules: CacheRules, now: () => number) {
    this.#rules = rules
    this.#now = now
  }

  beginWalk(): void {
    this.#visited = new Set()
  }

  async get<T>(href: string, fetch: () => Promise<Fetched<T>>): Promise<T> {
    this.#visited.add(href)
    const known = this.#entries.get(href)
    if (known !== undefined && this.#now() < known.dueMs) return known.fetched as T
    if (this.#visited.size > MAX_RESOURCES) {
      throw new BackfeedError('GRID_TOO_MANY_RESOURCES', `the server links to more than ${MAX_RESOURCES} resources`, {
        retryable: true,
      })
    }
    const { value, pollSeconds } = await fetch()
    const { minPollSeconds, maxPollSeconds, defaultPollSeconds } = this.#rules
    const seconds = Math.min(Math.max(pollSeconds ?? defaultPollSeconds, minPollSeconds), maxPollSeconds)
    this.#entries.set(href, { fetched: value, dueMs: this.#now() + seconds * 1000 })
    return value
  }

  /** Ends a walk: forgets what it did not visit. Milliseconds until the next resource is due. */
  endWalk(): number {
    for (const href of this.#entries.keys()) if (!this.#visited.has(href)) this.#entries.delete(href)
    const due = Math.min(...[...this.#entries.values()].map(({ dueMs }) => dueMs))
    return Number.isFinite(due) ? Math.max(0, due - this.#now()) : this.#rules.minPollSeconds * 1000
  }

  /** All of it is asked for again at the next walk. */
  clear(): void {
    this.#entries.clear()
  }
}
