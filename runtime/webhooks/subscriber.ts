import { Backoff } from '../backoff.ts'
import { describeError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type Attempt, Poster } from './attempt.ts'
import type { WebhookConfig } from './config.ts'
import type { QueuedEvent } from './event.ts'
import type { EventQueue, Waiting } from './eventQueue.ts'
import { MAX_IN_FLIGHT, MAX_LISTED_REFUSALS } from './limits.ts'
import type { WebhookMetrics } from './metrics.ts'
import type { WebhookSecrets } from './secrets.ts'
import { signatureHeaders } from './signature.ts'

/** Longest wait that one timer is set for; a later moment is reached in steps. */
const MAX_TIMER_MS = 60_000

export interface SubscriberSettings {
  readonly config: WebhookConfig
  readonly secrets: WebhookSecrets
  readonly queue: EventQueue
  /** Wall clock, milliseconds: receivers compare the time of a try with theirs. */
  readonly now: () => number
  readonly monotonicMs: () => number
  /** 0 … 1 */
  readonly random: () => number
  readonly log: Logger
  readonly metrics: WebhookMetrics
}

/** What an operator must look at. */
export interface WebhookProblem {
  readonly code: 'WEBHOOK_UNREACHABLE' | 'WEBHOOK_REFUSED' | 'WEBHOOK_GONE' | 'WEBHOOK_DROPPED'
  readonly message: string
}

/** Where deliveries stand still: an event of a subject that is not taken, and what waits behind it. */
interface Refusal {
  readonly event: Waiting
  readonly why: string
  readonly backoff: Backoff
  notBeforeMs: number
}

/** Delivers one receiver's events at least once, those of a subject in their order, until each is acknowledged. */
export class Subscriber {
  readonly #settings: SubscriberSettings
  readonly #poster: Poster
  readonly #stopping = new AbortController()
  readonly #underWay = new Set<Promise<void>>()
  readonly #refusals = new Map<string, Refusal>()
  readonly #backoff: Backoff
  #isTellingDropped = false
  #isGone = false
  #isStarted = false
  /** Why nothing gets through; undefined while the last answer was one. */
  #fault: WebhookProblem | undefined
  #notBeforeMs = 0
  #lastAckMs: number | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(settings: SubscriberSettings) {
    const { config, random } = settings
    this.#settings = settings
    this.#poster = new Poster(config.url)
    this.#backoff = new Backoff({ firstMs: config.firstDelayMs, maxMs: config.maxDelayMs, random })
  }

  get name(): string {
    return this.#settings.config.name
  }

  get queue(): EventQueue {
    return this.#settings.queue
  }

  /** Wall clock of the last acknowledgement; undefined before the first. */
  get lastAckMs(): number | undefined {
    return this.#lastAckMs
  }

  wants(type: string): boolean {
    return this.#settings.config.events?.includes(type) ?? true
  }

  start(): void {
    this.#isStarted = true
    this.wake()
  }

  /** What is under way is broken off: it is sent again after the next start. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    await Promise.all(this.#underWay)
    this.#poster.close()
  }

  problems(): WebhookProblem[] {
    const { name, queue } = this
    const dropped = queue.dropped
    return [
      ...(this.#fault === undefined ? [] : [this.#fault]),
      ...[...this.#refusals.values()].slice(0, MAX_LISTED_REFUSALS).map(({ event, why }): WebhookProblem => {
        const message = `${name}: ${event.type} ${event.id} of ${event.subject} is not taken: ${why}; others of it wait`
        return { code: 'WEBHOOK_REFUSED', message }
      }),
      ...(dropped === undefined
        ? []
        : [
            {
              code: 'WEBHOOK_DROPPED',
              message: `${name}: ${dropped.count} events were dropped: its queue was full`,
            } as const,
          ]),
    ]
  }

  /** Sends whatever may be sent now. */
  wake(): void {
    if (!this.#isStarted || this.#stopping.signal.aborted || this.#isGone) return
    const nowMs = this.#settings.monotonicMs()
    if (nowMs >= this.#notBeforeMs) {
      // While nothing gets through one try at a time says whether it does again.
      const limit = this.#fault === undefined ? MAX_IN_FLIGHT : 1
      while (this.#underWay.size < limit && this.#sendNext(nowMs));
    }
    this.#setTimer(nowMs)
  }

  #sendNext(nowMs: number): boolean {
    const { queue } = this
    const dropped = queue.droppedEvent()
    if (dropped !== undefined) {
      // Nothing else goes beside it.
      if (this.#isTellingDropped) return false
      this.#isTellingDropped = true
      this.#run(
        async () => {
          await this.#send(dropped.event, async () => await queue.toldDropped(dropped.told))
        },
        () => (this.#isTellingDropped = false),
      )
      return true
    }
    const next = queue.take((subject) => (this.#refusals.get(subject)?.notBeforeMs ?? 0) > nowMs)
    if (next === undefined) return false
    this.#run(
      async () => {
        const event = await queue.read(next)
        if (event !== undefined) await this.#send(event, async () => await queue.remove(next), next)
      },
      () => queue.giveBack(next),
    )
    return true
  }

  #run(work: () => Promise<void>, over: () => void): void {
    const running = work()
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.#failed(`its queue: ${describeError(error)}`, 0)
      })
      .finally(() => {
        over()
        this.#underWay.delete(running)
        this.wake()
      })
    this.#underWay.add(running)
  }

  async #send(event: QueuedEvent, acknowledged: () => Promise<void>, waiting?: Waiting): Promise<void> {
    const { config, secrets, now, log, metrics } = this.#settings
    const { id, type, subject, body } = event
    const endTimer = metrics.seconds.startTimer({ webhook: this.name })
    const timestamp = Math.floor(now() / 1_000)
    const authorization = secrets.authToken === undefined ? {} : { authorization: `Bearer ${secrets.authToken}` }
    const headers = { ...signatureHeaders(secrets.signing, { id, body, timestamp }), ...authorization }
    const { signal } = this.#stopping
    const attempt = await this.#poster.post({ headers, body, timeoutMs: config.timeoutMs, signal })
    endTimer()
    const fields = { webhook: this.name, event: id, type, subject }
    if (attempt.kind !== 'ACKNOWLEDGED') {
      metrics.failed.inc({ webhook: this.name, outcome: attempt.kind })
      this.#notAcknowledged(attempt, fields, waiting)
      return
    }
    await acknowledged()
    metrics.delivered.inc({ webhook: this.name, type })
    this.#lastAckMs = now()
    this.#refusals.delete(subject)
    if (this.#fault !== undefined) log.info(fields, `${this.name} acknowledges events again`)
    this.#fault = undefined
    this.#backoff.reset()
    this.#notBeforeMs = 0
    log.debug(fields, 'acknowledged')
  }

  #notAcknowledged(attempt: Exclude<Attempt, { kind: 'ACKNOWLEDGED' }>, fields: object, waiting?: Waiting): void {
    const { log, config, monotonicMs, random } = this.#settings
    switch (attempt.kind) {
      case 'FAILED':
        this.#failed(attempt.why, attempt.retryAfterMs, fields)
        return
      case 'GONE': {
        this.#isGone = true
        const message = `${this.name} answers 410: it wants no more. Nothing is sent until the next start; events are kept`
        this.#fault = { code: 'WEBHOOK_GONE', message }
        log.error(fields, message)
        return
      }
      case 'REFUSED': {
        const { why, retryAfterMs } = attempt
        if (attempt.of === 'EVENT' && waiting !== undefined) {
          const old = this.#refusals.get(waiting.subject)
          const isSame = old?.event.number === waiting.number
          const backoff = isSame
            ? old.backoff
            : new Backoff({ firstMs: slowMs(config), maxMs: config.maxDelayMs, random })
          const notBeforeMs = monotonicMs() + backoff.fail(retryAfterMs)
          this.#refusals.set(waiting.subject, { event: waiting, why, backoff, notBeforeMs })
          if (!isSame)
            log.error(fields, `${this.name} does not take an event: ${why}; it is kept, and tried again slowly`)
          // It was an answer: the receiver is there.
          if (this.#fault?.code === 'WEBHOOK_UNREACHABLE') this.#fault = undefined
          return
        }
        const message = `${this.name} takes nothing: ${why}; events are kept, and tried again slowly`
        if (this.#fault?.code !== 'WEBHOOK_REFUSED') log.error(fields, message)
        this.#fault = { code: 'WEBHOOK_REFUSED', message }
        this.#notBeforeMs = monotonicMs() + Math.max(slowMs(config), this.#backoff.fail(retryAfterMs))
        return
      }
      default:
        attempt satisfies never
    }
  }

  #failed(why: string, retryAfterMs: number, fields: object = { webhook: this.name }): void {
    const { log, monotonicMs } = this.#settings
    // Several were under way: they failed together and count once.
    const nowMs = monotonicMs()
    if (nowMs < this.#notBeforeMs && retryAfterMs === 0) return
    const waitMs = this.#backoff.fail(retryAfterMs)
    this.#notBeforeMs = Math.max(this.#notBeforeMs, nowMs + waitMs)
    const message = `${this.name} acknowledges nothing: ${why}`
    if (this.#fault === undefined) log.warn({ ...fields, waitMs: Math.round(waitMs) }, `${message}; tried again`)
    this.#fault = { code: 'WEBHOOK_UNREACHABLE', message }
  }

  /** For whatever was not due at the last look: nothing else would wake it. */
  #setTimer(lookedMs: number): void {
    clearTimeout(this.#timer)
    const waits = [this.#notBeforeMs, ...[...this.#refusals.values()].map(({ notBeforeMs }) => notBeforeMs)]
      .filter((untilMs) => untilMs > lookedMs)
      .map((untilMs) => Math.max(0, untilMs - this.#settings.monotonicMs()))
    if (waits.length > 0) this.#timer = setTimeout(() => this.wake(), Math.min(...waits, MAX_TIMER_MS) + 1)
  }
}

/** After a refusal somebody must change something: eight times the first pause at least. */
function slowMs({ firstDelayMs, maxDelayMs }: WebhookConfig): number {
  return Math.min(8 * firstDelayMs, maxDelayMs)
}
