/** What was tried and what became of it, by name. */
export class Tally {
  readonly #counts = new Map<string, number>()

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count)
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  get all(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a.localeCompare(b)))
  }
}

export interface Siege {
  readonly tally: Tally
  /** The attackers' randomness is theirs: none changes what another does. */
  readonly seed: number
  readonly done: AbortSignal
}
