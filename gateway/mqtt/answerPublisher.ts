import { MAX_RECEIPT_ANSWERS } from '../../evse/mqtt/limits.ts'
import { answerPayload } from '../../evse/mqtt/mqttRecords.ts'
import { type AnswerPayload, encodePayload, type ReceiptsPayload } from '../../evse/mqtt/payloads.ts'
import { topicOf } from '../../evse/mqtt/topics.ts'
import type { AnsweredRow } from '../../evse/outbox/outbox.ts'
import type { ReceiptFile } from '../../protocol/receiptJson.ts'
import type { Logger } from '../../runtime/log.ts'
import type { EdgeEvse } from '../fleet/directory.ts'
import { ANSWER_LINGER_MS, MAX_WAITING_ANSWERS } from './limits.ts'
import type { MqttMetrics } from './metrics.ts'

export interface AnswerPublisherSettings {
  readonly deployment: Pick<ReceiptFile, 'chainId' | 'rollup'>
  /** Resolves when the broker has it. */
  readonly publish: (topic: string, payload: Buffer) => Promise<void>
  readonly metrics: MqttMetrics
  readonly log: Logger
}

/** Gives answers to records back to their EVSEs, several in a message. What is lost on the way is asked for again by the EVSE. */
export class AnswerPublisher {
  readonly #settings: AnswerPublisherSettings
  readonly #gathered = new Map<string, { readonly evse: EdgeEvse; readonly answers: AnswerPayload[] }>()
  #waiting = 0
  #timer: NodeJS.Timeout | undefined

  constructor(settings: AnswerPublisherSettings) {
    this.#settings = settings
  }

  /** Answers that the broker does not have yet. */
  get waiting(): number {
    return this.#waiting
  }

  add(evse: EdgeEvse, { row, answer }: Pick<AnsweredRow, 'row' | 'answer'>): void {
    const { deployment, metrics } = this.#settings
    if (this.#waiting >= MAX_WAITING_ANSWERS) {
      metrics.answers.inc({ outcome: 'dropped' })
      return
    }
    this.#waiting++
    const gathered = this.#gathered.get(evse.name) ?? { evse, answers: [] }
    this.#gathered.set(evse.name, gathered)
    gathered.answers.push(answerPayload(row, answer, deployment))
    if (gathered.answers.length >= MAX_RECEIPT_ANSWERS) this.#send(evse.name)
    this.#timer ??= setTimeout(() => this.#sendAll(), ANSWER_LINGER_MS)
  }

  /** Gives up what is gathered. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#gathered.clear()
  }

  #sendAll(): void {
    this.#timer = undefined
    for (const name of [...this.#gathered.keys()]) this.#send(name)
  }

  #send(name: string): void {
    const { evse, answers } = this.#gathered.get(name)!
    const { publish, metrics, log } = this.#settings
    this.#gathered.delete(name)
    const payload = encodePayload({ answers } satisfies ReceiptsPayload)
    publish(topicOf({ lane: evse.lane, evse: name }, 'receipts'), payload)
      .then(
        () => metrics.answers.inc({ outcome: 'published' }, answers.length),
        (error: unknown) => {
          metrics.answers.inc({ outcome: 'dropped' }, answers.length)
          log.warn({ err: error, evse: name, answers: answers.length }, 'answers were not published: it will ask again')
        },
      )
      .finally(() => {
        this.#waiting -= answers.length
      })
  }
}
