/** A pause between looks that a poke ends early. A poke while nobody waits shortens the next pause to nothing. */
export class PokableTimer {
  readonly #signal: AbortSignal
  #isPoked = false
  #end: (() => void) | undefined

  /** Aborting ends every pause at once. */
  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', () => this.#end?.(), { once: true })
  }

  poke(): void {
    this.#isPoked = true
    this.#end?.()
  }

  async pause(ms: number): Promise<void> {
    if (!this.#isPoked && !this.#signal.aborted && ms > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.#end = () => {
          clearTimeout(timer)
          resolve()
        }
      })
      this.#end = undefined
    }
    this.#isPoked = false
  }
}
