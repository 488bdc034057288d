import type { LaneState } from '../../protocol/laneState.ts'

/** The root before a batch's first chunk, and those after each one since. The newest wait until they are asked for: many are hashed together for half. */
export class ChunkRoots {
  readonly #state: LaneState
  readonly #roots: Uint8Array[]

  /** `state` notes roots for nobody else meanwhile. */
  constructor(state: LaneState, roots: readonly Uint8Array[]) {
    state.takeRoots() // of a batch that was given up, if any
    this.#state = state
    this.#roots = [...roots]
  }

  /** What the state is now is the end of a chunk. */
  chunkEnded(): void {
    this.#state.noteRoot()
  }

  /** 31 bytes each. */
  all(): readonly Uint8Array[] {
    for (const root of this.#state.takeRoots()) this.#roots.push(root)
    return this.#roots
  }

  /** Those behind the first `count` never were; the state has taken back the ones that it had noted. */
  truncate(count: number): void {
    this.#roots.length = count
  }
}
