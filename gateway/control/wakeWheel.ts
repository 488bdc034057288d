const NONE = -1

/**
 * Wakes many by one timer. Who asks to be woken later than before is left where it is and looked at again then, so that the ordinary case, a
 * deadline that every telemetry pushes on, costs nothing.
 */
export class WakeWheel {
  readonly #slotMs: number
  readonly #slots: number[][]
  /** Number of the slot that somebody waits in, by index. */
  readonly #waitsIn: Float64Array
  /** Number of the last slot that was emptied. */
  #cursor: number

  /** Whoever asks for more than `slots` × `slotMs` is looked at after that time, and goes round again. */
  constructor(settings: { count: number; slotMs: number; slots: number; nowMs: number }) {
    this.#slotMs = settings.slotMs
    this.#slots = Array.from({ length: settings.slots }, () => [])
    this.#waitsIn = new Float64Array(settings.count).fill(NONE)
    this.#cursor = Math.floor(settings.nowMs / settings.slotMs)
  }

  /** At `atMs` or up to a slot after it; never before it. Infinity: not at all. */
  schedule(index: number, atMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY) return
    const last = this.#cursor + this.#slots.length
    const slot = Math.min(Math.max(Math.ceil(atMs / this.#slotMs), this.#cursor + 1), last)
    const before = this.#waitsIn[index]!
    if (before !== NONE && before <= slot) return
    this.#waitsIn[index] = slot
    this.#slots[slot % this.#slots.length]!.push(index)
  }

  /** Calls `wake` for everybody whose slot has come. It may be too early for some, and each must be scheduled anew. */
  advance(nowMs: number, wake: (index: number) => void): void {
    const until = Math.floor(nowMs / this.#slotMs)
    while (this.#cursor < until) {
      this.#cursor += 1
      // After a standstill of a whole turn every slot was emptied once: the rest of the way has nobody in it.
      if (until - this.#cursor > this.#slots.length) this.#cursor = until - this.#slots.length
      const bucket = this.#slots[this.#cursor % this.#slots.length]!
      if (bucket.length === 0) continue
      const woken = bucket.splice(0)
      for (const index of woken) {
        // Somebody who was scheduled earlier in the meantime has been woken already, and waits elsewhere.
        const slot = this.#waitsIn[index]!
        if (slot === NONE || slot > this.#cursor) continue
        this.#waitsIn[index] = NONE
        wake(index)
      }
    }
  }
}
