import type { CommandPort } from '../guard/commandPort.ts'
import { MAX_KNOWN_COMMANDS } from './limits.ts'
import type { Command, CommandAnswerPayload } from './payloads.ts'

/** Obeys each command once, and none that is too late; a repeat gets the answer of the first. */
export class CommandRunner {
  readonly #evse: string
  readonly #controls: CommandPort
  readonly #now: () => number
  readonly #known = new Map<string, Promise<CommandAnswerPayload>>()

  constructor(settings: { evse: string; controls: CommandPort; now: () => number }) {
    this.#evse = settings.evse
    this.#controls = settings.controls
    this.#now = settings.now
  }

  /** Never rejects. */
  run(command: Command): Promise<CommandAnswerPayload> {
    const known = this.#known.get(command.id)
    if (known !== undefined) return known
    const answer = this.#obey(command)
    this.#known.set(command.id, answer)
    if (this.#known.size > MAX_KNOWN_COMMANDS) this.#known.delete(this.#known.keys().next().value!)
    return answer
  }

  async #obey(command: Command): Promise<CommandAnswerPayload> {
    const { id, deadlineMs } = command
    const leftMs = deadlineMs - this.#now()
    if (leftMs <= 0) return { id, answer: 'REJECTED', reason: `came ${-leftMs} ms after its deadline` }
    const signal = AbortSignal.timeout(leftMs)
    try {
      const answer =
        command.command === 'setLimit'
          ? await this.#controls.setLimit(this.#evse, command.watts, signal)
          : await this.#controls.stop(this.#evse, command.reason, signal)
      if (answer === 'UNREACHABLE') return { id, answer: 'REJECTED', reason: 'the hardware does not answer' }
      return { id, answer }
    } catch {
      return { id, answer: 'REJECTED', reason: 'the hardware failed' }
    }
  }
}
