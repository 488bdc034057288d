import type { CommandAnswer, CommandPort } from '../guard/commandPort.ts'
import type { OutputLine } from './schema.ts'

/** The charger's electronics at the other end of a line: commands go out as lines, and answers come back as lines. */
export class HardwareLines implements CommandPort {
  /** Sends to all who listen; returns how many. */
  readonly #send: (line: OutputLine) => number
  readonly #waiting = new Map<number, (answer: CommandAnswer) => void>()
  #last = 0

  constructor(send: (line: OutputLine) => number) {
    this.#send = send
  }

  setLimit(_evse: string, watts: number, signal: AbortSignal): Promise<CommandAnswer> {
    return this.#ask((command) => ({ type: 'command', command, do: 'limit', watts }), signal)
  }

  stop(_evse: string, reason: string, signal: AbortSignal): Promise<CommandAnswer> {
    return this.#ask((command) => ({ type: 'command', command, do: 'stop', reason }), signal)
  }

  /** False: nobody waits for it (any more). */
  answer(command: number, answer: CommandAnswer): boolean {
    const take = this.#waiting.get(command)
    take?.(answer)
    return take !== undefined
  }

  #ask(make: (command: number) => OutputLine, signal: AbortSignal): Promise<CommandAnswer> {
    const command = ++this.#last
    if (signal.aborted) return Promise.resolve('UNREACHABLE')
    return new Promise((resolve) => {
      const settle = (answer: CommandAnswer): void => {
        this.#waiting.delete(command)
        signal.removeEventListener('abort', giveUp)
        resolve(answer)
      }
      const giveUp = (): void => settle('UNREACHABLE')
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.set(command, settle)
      if (this.#send(make(command)) === 0) giveUp()
    })
  }
}
