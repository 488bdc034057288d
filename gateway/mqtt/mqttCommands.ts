import { randomBytes } from 'node:crypto'
import type { CommandAnswer, CommandPort } from '../../evse/guard/commandPort.ts'
import { type Command, type CommandAnswerPayload, commandSchema, encodePayload } from '../../evse/mqtt/payloads.ts'
import { MAX_TEXT_CHARS } from '../../evse/mqtt/limits.ts'
import { topicOf } from '../../evse/mqtt/topics.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Directory } from '../fleet/directory.ts'
import { MAX_PENDING_COMMANDS } from './limits.ts'
import type { MqttMetrics } from './metrics.ts'

export interface MqttCommandsSettings {
  readonly directory: Directory
  /** Rejects when the broker cannot have it. */
  readonly publish: (topic: string, payload: Buffer, expirySeconds: number) => Promise<void>
  /** Whether the connection stands, and the EVSE has not said goodbye. */
  readonly isReachable: (evse: string) => boolean
  readonly timeoutMs: number
  readonly now: () => number
  readonly metrics: MqttMetrics
  readonly log: Logger
}

interface Pending {
  readonly evse: string
  readonly settle: (answer: CommandAnswer) => void
}

type Order =
  | { readonly command: 'setLimit'; readonly watts: number }
  | { readonly command: 'stop'; readonly reason: string }

/** Commands over MQTT. Each has a deadline, so that one that a broker held back is not obeyed late. */
export class MqttCommands implements CommandPort {
  readonly #settings: MqttCommandsSettings
  readonly #pending = new Map<string, Pending>()
  /** Ids of two runs of the gateway never meet. */
  readonly #run = randomBytes(6).toString('hex')
  #count = 0

  constructor(settings: MqttCommandsSettings) {
    this.#settings = settings
  }

  setLimit(evse: string, watts: number, signal: AbortSignal): Promise<CommandAnswer> {
    return this.#command(evse, { command: 'setLimit', watts }, signal)
  }

  stop(evse: string, reason: string, signal: AbortSignal): Promise<CommandAnswer> {
    return this.#command(evse, { command: 'stop', reason: reason.slice(0, MAX_TEXT_CHARS) }, signal)
  }

  /** An answer from an EVSE: counts only for a command that was sent to it. */
  takeAnswer(evse: string, { id, answer, reason }: CommandAnswerPayload): void {
    const pending = this.#pending.get(id)
    if (pending === undefined || pending.evse !== evse) return
    if (answer === 'REJECTED')
      this.#settings.log.warn({ evse, command: id }, `the EVSE rejects a command: ${reason ?? ''}`)
    pending.settle(answer)
  }

  /** Everything that is pending is unreachable. */
  abandon(): void {
    for (const { settle } of [...this.#pending.values()]) settle('UNREACHABLE')
  }

  async #command(name: string, order: Order, signal: AbortSignal): Promise<CommandAnswer> {
    const { directory, timeoutMs, metrics, now, isReachable } = this.#settings
    const evse = directory.evse(name)
    const isFull = this.#pending.size >= MAX_PENDING_COMMANDS
    if (evse === undefined || signal.aborted || isFull || !isReachable(name)) {
      metrics.commands.inc({ answer: 'UNREACHABLE' })
      return 'UNREACHABLE'
    }
    const id = `${this.#run}-${++this.#count}`
    const command = commandSchema.safeParse({ ...order, id, deadlineMs: now() + timeoutMs } satisfies Command)
    if (!command.success) {
      this.#settings.log.error({ evse: name, order }, 'a command that no EVSE could read was not sent')
      metrics.commands.inc({ answer: 'REJECTED' })
      return 'REJECTED'
    }
    const end = metrics.commandSeconds.startTimer()
    const answer = await this.#sendAndWait(id, evse, encodePayload(command.data), signal)
    if (answer !== 'UNREACHABLE') end()
    metrics.commands.inc({ answer })
    return answer
  }

  #sendAndWait(
    id: string,
    evse: { readonly name: string; readonly lane: number },
    payload: Buffer,
    signal: AbortSignal,
  ): Promise<CommandAnswer> {
    const { publish, timeoutMs, log } = this.#settings
    return new Promise((resolve) => {
      const settle = (answer: CommandAnswer): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', giveUp)
        this.#pending.delete(id)
        resolve(answer)
      }
      const giveUp = (): void => settle('UNREACHABLE')
      const timer = setTimeout(giveUp, timeoutMs)
      signal.addEventListener('abort', giveUp, { once: true })
      this.#pending.set(id, { evse: evse.name, settle })
      const topic = topicOf({ lane: evse.lane, evse: evse.name }, 'commands')
      publish(topic, payload, Math.ceil(timeoutMs / 1000)).catch((error: unknown) => {
        log.warn({ err: error, evse: evse.name }, 'a command was not sent')
        giveUp()
      })
    })
  }
}
