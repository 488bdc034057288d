import type { Bytes } from './keys.ts'

/** More than this is not kept for the next write. */
const KEPT_BYTES = 4 * 1024 * 1024

/**
 * Memory for one write after another. Allocated anew it would be a megabyte a write, and V8 marks its whole heap every few dozen writes for
 * what it counts outside of it.
 */
export class WriteMemory {
  #memory = new Uint8Array(0)
  #used = 0
  #wanted = 0

  /** Whatever was taken before is over. */
  begin(): void {
    if (this.#wanted > this.#memory.length) this.#memory = new Uint8Array(Math.min(this.#wanted, KEPT_BYTES))
    this.#used = 0
    this.#wanted = 0
  }

  /** Zeros, until the next `begin`. */
  take(bytes: number): Bytes {
    this.#wanted += bytes
    if (this.#used + bytes > this.#memory.length) return new Uint8Array(bytes)
    const taken = this.#memory.subarray(this.#used, this.#used + bytes)
    this.#used += bytes
    return taken.fill(0)
  }
}
