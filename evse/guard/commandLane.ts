import type { CommandAnswer, CommandPort } from './commandPort.ts'
import type { GuardCommand } from './guardState.ts'

interface InFlight {
  readonly command: GuardCommand
  readonly abort: AbortController
}

export interface CommandLaneSettings {
  readonly evse: string
  readonly port: CommandPort
  /** A command that is not answered by then counts as UNREACHABLE. */
  readonly timeoutMs: number
  answered(command: GuardCommand, answer: CommandAnswer): void
  /** A port that threw, against its contract. */
  failed(error: unknown): void
}

/**
 * One EVSE's commands, one after another. The newest wins: one that waits is replaced, and one that is under way is given up when the newer one
 * takes power away, since a pause must not queue behind an EVSE that does not answer.
 */
export class CommandLane {
  readonly #settings: CommandLaneSettings
  #inFlight: InFlight | undefined
  #waiting: GuardCommand | undefined

  constructor(settings: CommandLaneSettings) {
    this.#settings = settings
  }

  send(command: GuardCommand): void {
    if (this.#inFlight !== undefined && !takesAway(command, this.#inFlight.command)) {
      this.#waiting = command
      return
    }
    this.#inFlight?.abort.abort()
    this.#waiting = undefined
    void this.#carryOut(command)
  }

  /** Gives up what is under way and what waits. */
  close(): void {
    this.#waiting = undefined
    this.#inFlight?.abort.abort()
    this.#inFlight = undefined
  }

  async #carryOut(command: GuardCommand): Promise<void> {
    const mine: InFlight = { command, abort: new AbortController() }
    this.#inFlight = mine
    const answer = await this.#ask(command, mine.abort)
    if (this.#inFlight !== mine) return
    this.#inFlight = undefined
    this.#settings.answered(command, answer)
    const next = this.#waiting
    // The answer may have led to a newer command already.
    if (next === undefined || this.#inFlight !== undefined) return
    this.#waiting = undefined
    void this.#carryOut(next)
  }

  async #ask(command: GuardCommand, abort: AbortController): Promise<CommandAnswer> {
    const { evse, port, timeoutMs, failed } = this.#settings
    let timer: NodeJS.Timeout | undefined
    // A port that does not give up at the signal must not hold the lane.
    const gaveUp = new Promise<CommandAnswer>((resolve) => {
      abort.signal.addEventListener('abort', () => resolve('UNREACHABLE'), { once: true })
      timer = setTimeout(() => abort.abort(), timeoutMs)
    })
    try {
      const asked =
        command.kind === 'STOP'
          ? port.stop(evse, command.reason, abort.signal)
          : port.setLimit(evse, command.watts, abort.signal)
      return await Promise.race([asked, gaveUp])
    } catch (error) {
      failed(error)
      return 'UNREACHABLE'
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Whether a command leaves less power than the one before. A repeat of the same takes nothing away, and waits. */
function takesAway(command: GuardCommand, before: GuardCommand): boolean {
  if (before.kind === 'STOP') return false
  return command.kind === 'STOP' || command.watts < before.watts
}
