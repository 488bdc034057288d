/** One verification for many, and one for one. `many` may say false only if `one` does of some of them. */
export interface Checks<T> {
  many(items: readonly T[]): boolean
  one(item: T): boolean
}

/** Signatures over which the share of bad ones is remembered: a second's worth of one core. */
const MEMORY = 256
/** With more bad ones than this, groups cost more than they save. */
const SINGLES_SHARE = 0.1

/**
 * Finds bad signatures among many that can be verified together. A group of n costs n + 1.5 units where a signature alone costs 2, and one
 * bad signature spoils its group; so the groups' size follows the share of bad ones seen lately, n = 1/√share, which is where
 * 1.5/n + share × n is least. A failed group is cut into pieces of √n, a failed piece is verified one by one: with one culprit that is less
 * than halving again and again, because a half that failed says nothing of the other. All good, all are one group; in a flood of bad ones
 * each is verified alone, as without groups; in between nothing costs more than twice that.
 */
export class GroupCheck<T> {
  readonly #checks: Checks<T>
  /** Weights fade, so that old trouble is forgotten. */
  #badWeight = 0
  #weight = 0

  constructor(checks: Checks<T>) {
    this.#checks = checks
  }

  /** Calls `good` for each item that verifies. */
  run(items: readonly T[], good: (item: T) => void): void {
    let from = 0
    while (from < items.length) {
      const size = Math.min(this.#groupSize(), items.length - from)
      this.#group(items.slice(from, from + size), good)
      from += size
    }
  }

  #group(group: readonly T[], good: (item: T) => void): void {
    if (group.length === 1) {
      this.#single(group[0]!, good)
      return
    }
    if (this.#checks.many(group)) {
      this.#remember(group.length, 0)
      for (const item of group) good(item)
      return
    }
    const piece = group.length > 4 ? Math.ceil(Math.sqrt(group.length)) : 1
    for (let from = 0; from < group.length; ) {
      const size = Math.min(piece, this.#groupSize(), group.length - from)
      const part = group.slice(from, from + size)
      if (part.length > 1 && this.#checks.many(part)) {
        this.#remember(part.length, 0)
        for (const item of part) good(item)
      } else for (const item of part) this.#single(item, good)
      from += size
    }
  }

  #single(item: T, good: (item: T) => void): void {
    const isGood = this.#checks.one(item)
    this.#remember(1, isGood ? 0 : 1)
    if (isGood) good(item)
  }

  #groupSize(): number {
    if (this.#badWeight === 0) return Number.POSITIVE_INFINITY
    const share = this.#badWeight / this.#weight
    return share > SINGLES_SHARE ? 1 : Math.round(1 / Math.sqrt(share))
  }

  #remember(count: number, bad: number): void {
    const kept = Math.max(0, 1 - count / MEMORY)
    this.#weight = Math.min(MEMORY, this.#weight * kept + count)
    this.#badWeight = this.#badWeight * kept + bad
  }
}
