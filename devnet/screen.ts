import { stripVTControlCharacters, styleText } from 'node:util'

/** Where a run tells what happens: a live line on a terminal, plain lines elsewhere. */
export class Screen {
  readonly #out: NodeJS.WriteStream
  readonly #live: boolean
  readonly #startedAtMs = performance.now()
  #liveText = ''
  #plainAtMs = Number.NEGATIVE_INFINITY

  constructor(out: NodeJS.WriteStream = process.stdout) {
    this.#out = out
    this.#live = out.isTTY === true
  }

  /** A line that stays. */
  line(text = ''): void {
    this.#clearLive()
    this.#out.write(`${this.#live ? text : stripVTControlCharacters(text)}\n`)
    this.#drawLive()
  }

  /** A line that stays, with the wall clock's seconds since the start. */
  event(text: string): void {
    const seconds = ((performance.now() - this.#startedAtMs) / 1000).toFixed(1).padStart(6)
    this.line(`${styleText('dim', `${seconds} s`)}  ${text}`)
  }

  heading(text: string): void {
    this.line()
    this.line(styleText('bold', text))
  }

  /** What is going on: rewritten in place on a terminal, else printed every five seconds at most. */
  status(text: string): void {
    if (this.#live) {
      this.#clearLive()
      this.#liveText = text
      this.#drawLive()
      return
    }
    const now = performance.now()
    if (now - this.#plainAtMs < 5_000) return
    this.#plainAtMs = now
    this.event(text)
  }

  endStatus(): void {
    this.#clearLive()
    this.#liveText = ''
  }

  #clearLive(): void {
    if (this.#live && this.#liveText !== '') this.#out.write('\r\u001b[2K')
  }

  #drawLive(): void {
    if (!this.#live || this.#liveText === '') return
    this.#out.write(this.#liveText.slice(0, Math.max(20, (this.#out.columns ?? 80) - 1)))
  }
}

export const grouped = (value: number | bigint): string => value.toLocaleString('en-US')
