import type { AnsweredRecord, RecordClient } from '../../client/recordClient.ts'
import { type SubmitCode, SubmitError } from '../../client/submitError.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { MAX_REQUEST_RECORDS, type ResultCode, resultName } from '../../protocol/wire.ts'
import { describeError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { MAX_LANE_REQUESTS } from '../limits.ts'
import type { AnsweredRow, Deliverable, RowQueue, WaitingRow } from '../outbox/outbox.ts'
import { queueName, spanEnd } from '../outbox/rows.ts'
import type { EdgeProblem } from '../problem.ts'
import { Backoff } from '../../runtime/backoff.ts'
import type { DeliveryConfig } from './config.ts'
import type { DeliveryMetrics } from './metrics.ts'
import { judgeAnswers } from './verdict.ts'

/** After BUDGET_EXHAUSTED anywhere in the lane rows of an EVSE go one by one for so long, so that a cheap one does not overtake a dear one. */
const CAREFUL_MS = 600_000
/** A record whose end the lane's clock has not reached is tried again this much after it: batches are dated a little late. */
const AHEAD_MARGIN_MS = 5_000

/** What may be the fault of one row among many: the request is taken apart. All else is the lane's, and the lane waits. */
const IS_OF_ROWS: ReadonlySet<SubmitCode> = new Set(['UNVERIFIED', 'REJECTED', 'BAD_ANSWER'])

/** Longer waits are looked at on the way. */
const MAX_TIMER_MS = 600_000
/** So many requests refused whole, and none answered between them, are not one row's fault: what answers there is no sequencer of the lane. */
const REFUSED_BEFORE_FAULT = 3

export interface LaneDeliverySettings {
  readonly lane: number
  readonly outbox: Deliverable
  /** The first serves; the others take over while it does not. They are to try once only: waiting is done here. */
  readonly clients: readonly RecordClient[]
  readonly config: DeliveryConfig
  readonly nameOf: (queue: RowQueue) => string
  readonly now: () => number
  readonly monotonicMs: () => number
  readonly random: () => number
  readonly log: Logger
  readonly metrics: DeliveryMetrics
}

/** An EVSE whose next row did not get through. */
interface Trouble {
  readonly queue: RowQueue
  readonly code: string
  readonly message: string
  readonly backoff: Backoff
  readonly notBeforeMs: number
  /** How many rows the next try takes. Other EVSEs' rows are not mixed with them. */
  readonly rows: number
}

interface Part {
  readonly queue: RowQueue
  readonly rows: readonly WaitingRow[]
}

/** One lane's rows on their way: of an EVSE one request at a time, in the order of its spans; of different EVSEs several. */
export class LaneDelivery {
  readonly #settings: LaneDeliverySettings
  readonly #backoff: Backoff
  readonly #busy = new Set<string>()
  readonly #trouble = new Map<string, Trouble>()
  readonly #requests = new Set<Promise<void>>()
  readonly #stopping = new AbortController()
  #client = 0
  #notBeforeMs = 0
  #carefulUntilMs = 0
  #fault: EdgeProblem | undefined
  /** Requests in a row. */
  #refusedWhole = 0
  #timer: NodeJS.Timeout | undefined
  #filling: Promise<void> | undefined
  #again = false
  /** Queues take turns: the next request begins behind the last one's. */
  #turn = 0
  #lastAnswerMs: number | undefined

  constructor(settings: LaneDeliverySettings) {
    this.#settings = settings
    const { firstDelaySeconds, maxDelaySeconds } = settings.config
    this.#backoff = new Backoff({
      firstMs: firstDelaySeconds * 1_000,
      maxMs: maxDelaySeconds * 1_000,
      random: settings.random,
    })
  }

  /** Something to send may be there. */
  wake(): void {
    this.#again = true
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = undefined
      if (this.#again) this.wake()
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new SubmitError('NO_ANSWER', 'the delivery stops'))
    clearTimeout(this.#timer)
    await this.#filling
    await Promise.all(this.#requests)
  }

  /** Rows that did not get through, and why. */
  problems(): readonly EdgeProblem[] {
    const { nameOf } = this.#settings
    const held = [...this.#trouble.values()].map(({ queue, code, message }) => ({ code, message, evse: nameOf(queue) }))
    return this.#fault === undefined ? held : [this.#fault, ...held]
  }

  /** Wall clock of the last request that was answered with results; undefined before the first. */
  get lastAnswerMs(): number | undefined {
    return this.#lastAnswerMs
  }

  async #fill(): Promise<void> {
    // Rows that are put in together go together.
    await new Promise<void>((resolve) => setImmediate(resolve))
    this.#again = false
    const { signal } = this.#stopping
    let lookedMs = this.#settings.monotonicMs()
    while (!signal.aborted && this.#requests.size < MAX_LANE_REQUESTS && this.#notBeforeMs <= lookedMs) {
      let parts: Part[]
      try {
        parts = await this.#nextRequest()
      } catch (error) {
        this.#failed(error, 'the outbox cannot be read')
        break
      }
      if (parts.length === 0 || signal.aborted) break
      for (const { queue } of parts) this.#busy.add(queueName(queue))
      const request = this.#deliver(parts).finally(() => {
        this.#requests.delete(request)
        for (const { queue } of parts) this.#busy.delete(queueName(queue))
        this.#settings.metrics.held.set({ lane: this.#settings.lane }, this.#trouble.size)
        this.wake()
      })
      this.#requests.add(request)
      // After a failure one request asks whether it is over; the others wait.
      if (this.#backoff.failures > 0) break
      lookedMs = this.#settings.monotonicMs()
    }
    this.#setTimer(lookedMs)
  }

  async #nextRequest(): Promise<Part[]> {
    const { lane, outbox, config } = this.#settings
    const queues = outbox.waiting().filter((queue) => queue.lane === lane && !this.#busy.has(queueName(queue)))
    const dueAgain = [...this.#trouble.values()].find(
      ({ queue, notBeforeMs }) => this.#restMs(notBeforeMs) <= 0 && !this.#busy.has(queueName(queue)),
    )
    if (dueAgain !== undefined) {
      const rows = await outbox.page(dueAgain.queue, dueAgain.rows)
      if (rows.length > 0) return [{ queue: dueAgain.queue, rows }]
      this.#trouble.delete(queueName(dueAgain.queue))
    }
    const parts: Part[] = []
    let room = MAX_REQUEST_RECORDS
    const limit = this.#restMs(this.#carefulUntilMs) > 0 ? 1 : config.maxRowsPerEvse
    for (let i = 0; i < queues.length && room > 0; i++) {
      const queue = queues[(this.#turn + i) % queues.length]!
      if (this.#trouble.has(queueName(queue))) continue
      const rows = await outbox.page(queue, Math.min(limit, room))
      if (rows.length === 0) continue
      parts.push({ queue, rows })
      room -= rows.length
    }
    this.#turn = queues.length === 0 ? 0 : (this.#turn + Math.max(1, parts.length)) % queues.length
    return parts
  }

  async #deliver(parts: readonly Part[]): Promise<void> {
    const { lane, metrics } = this.#settings
    const rows = Buffer.concat(parts.flatMap((part) => part.rows.map(({ row }) => row)))
    const stopTimer = metrics.seconds.startTimer({ lane })
    let answers: readonly AnsweredRecord[]
    try {
      answers = await this.#submit(rows)
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      metrics.requests.inc({ lane, outcome: error instanceof SubmitError ? error.code : 'FAULT' })
      if (error instanceof SubmitError && (await this.#takeSome(parts, error))) return
      if (error instanceof SubmitError && IS_OF_ROWS.has(error.code)) this.#isolate(parts, error)
      else this.#failed(error, 'the records were not answered')
      return
    }
    stopTimer()
    metrics.requests.inc({ lane, outcome: 'RESULTS' })
    try {
      let at = 0
      for (const { queue, rows } of parts) {
        await this.#take(queue, rows, answers.slice(at, at + rows.length))
        at += rows.length
      }
      this.#recovered()
    } catch (error) {
      // They wait on, and come back as duplicates.
      this.#failed(error, 'answers could not be stored')
    }
  }

  /** By the client that serves, and once by each of the others when that one does not. */
  async #submit(rows: Uint8Array): Promise<readonly AnsweredRecord[]> {
    const { lane, clients, log } = this.#settings
    const { signal } = this.#stopping
    for (let tries = 1; ; tries++) {
      const serving = this.#client
      try {
        return await clients[serving]!.submit({ lane, rows, signal })
      } catch (error) {
        if (signal.aborted || tries >= clients.length || !isOthersTurn(error)) throw error
        if (this.#client === serving) this.#client = (serving + 1) % clients.length
        log.warn({ lane, err: error, target: this.#client }, 'another sequencer address of the lane is tried')
      }
    }
  }

  /** A part of the answers is here: whose rows they are need not wait for the others. True when that is all there is to do. */
  async #takeSome(parts: readonly Part[], { answered = [], code }: SubmitError): Promise<boolean> {
    if (!answered.some((answer) => answer !== undefined)) return false
    try {
      let at = 0
      for (const { queue, rows } of parts) {
        const of = answered.slice(at, at + rows.length)
        at += rows.length
        const known = rows.filter((_, i) => of[i] !== undefined)
        if (known.length > 0)
          await this.#take(
            queue,
            known,
            of.filter((answer) => answer !== undefined),
          )
      }
    } catch (error) {
      this.#failed(error, 'answers could not be stored')
      return true
    }
    if (code === 'NO_ANSWER') this.#recovered()
    return code === 'NO_ANSWER'
  }

  async #take(queue: RowQueue, rows: readonly WaitingRow[], answers: readonly AnsweredRecord[]): Promise<void> {
    const { config, outbox, now, metrics, lane } = this.#settings
    const verdicts = judgeAnswers(rows, answers, config, now())
    const final: AnsweredRow[] = []
    for (const [i, verdict] of verdicts.entries()) {
      if (verdict === 'FINAL') final.push({ lane, row: rows[i]!.row, answer: answers[i]! })
    }
    if (final.length > 0) await outbox.answer(final)
    for (const { row, answer } of final) this.#report(queue, row, answer)
    for (const { answer } of final) metrics.records.inc({ lane, result: resultName(answer.code) })
    const first = verdicts.findIndex((verdict) => verdict !== 'FINAL')
    if (first < 0) {
      this.#trouble.delete(queueName(queue))
      return
    }
    if (verdicts[first] === 'UNPROVEN') {
      this.#isolate([{ queue, rows }], new SubmitError('UNVERIFIED', 'there is no receipt', { fault: 'NO_RECEIPT' }))
      return
    }
    const { code } = answers[first]!
    const held = rows.filter((_, i) => verdicts[i] === 'HOLD')
    await outbox.hold(held, code)
    this.#hold(queue, rows[first]!, code)
  }

  #hold(queue: RowQueue, row: WaitingRow, code: ResultCode): void {
    const { config, log, monotonicMs, now, nameOf, random } = this.#settings
    if (code === Outcome.BUDGET_EXHAUSTED) this.#carefulUntilMs = monotonicMs() + CAREFUL_MS
    const old = this.#trouble.get(queueName(queue))
    const settings = { firstMs: config.holdSeconds * 1_000, maxMs: config.maxHoldSeconds * 1_000, random }
    const backoff = old?.code === resultName(code) ? old.backoff : new Backoff(settings)
    const aheadMs = code === Outcome.MALFORMED ? spanEnd(row.row) * 1_000 - now() + AHEAD_MARGIN_MS : 0
    // A clock that ran far ahead: records of the right time come before this one, and must not wait for its date.
    const waitMs = aheadMs > 0 ? Math.min(aheadMs, config.maxHoldSeconds * 1_000) : backoff.fail()
    const message = `${nameOf(queue)}: its record of ${spanText(row.row)} is ${resultName(code)}, and is tried again`
    if (old?.code !== resultName(code)) log.warn({ evse: nameOf(queue), code: resultName(code) }, message)
    const notBeforeMs = monotonicMs() + waitMs
    this.#trouble.set(queueName(queue), { queue, code: resultName(code), message, backoff, notBeforeMs, rows: 1 })
  }

  /** The records stay. What came with others is tried alone, then in halves, so that one row does not hold up all the others. */
  #isolate(parts: readonly Part[], error: SubmitError): void {
    const { config, lane, log, metrics, monotonicMs, nameOf, random, clients } = this.#settings
    const isUnproven = error.code === 'UNVERIFIED'
    const code = isUnproven ? 'RECEIPT_UNVERIFIED' : `SUBMIT_${error.code}`
    if (isUnproven) metrics.unverified.inc({ lane, fault: error.fault ?? 'NO_RECEIPT' })
    const what = isUnproven ? 'an answer is not believed' : 'a request was refused whole'
    log.error({ err: error, lane, code }, `${what}; the records are kept`)
    if (!isUnproven && ++this.#refusedWhole >= REFUSED_BEFORE_FAULT) {
      this.#fault ??= { code, message: `lane ${lane}: whole requests are refused: ${describeError(error)}` }
    }
    this.#client = (this.#client + 1) % clients.length
    for (const { queue, rows } of parts) {
      const old = this.#trouble.get(queueName(queue))
      const settings = { firstMs: config.firstDelaySeconds * 1_000, maxMs: config.maxHoldSeconds * 1_000, random }
      const backoff = old?.code === code ? old.backoff : new Backoff(settings)
      this.#trouble.set(queueName(queue), {
        queue,
        code,
        message: `${nameOf(queue)}: ${error.message}`,
        backoff,
        notBeforeMs: monotonicMs() + backoff.fail(),
        rows: Math.max(1, Math.floor(rows.length / (parts.length > 1 ? 1 : 2))),
      })
    }
  }

  #report(queue: RowQueue, row: Uint8Array, { code, position }: AnsweredRecord): void {
    const { log, nameOf, lane } = this.#settings
    const fields = { evse: nameOf(queue), lane, span: spanText(row), result: resultName(code) }
    if (code === Outcome.SETTLED) log.debug({ ...fields, position }, 'settled')
    else if (resultName(code) === 'DUPLICATE') log.debug({ ...fields, position }, 'settled before')
    else log.error(fields, 'a record was refused for good; it is kept with its answer')
  }

  #failed(error: unknown, what: string): void {
    const { lane, log, monotonicMs } = this.#settings
    const asked = error instanceof SubmitError ? error.retryAfterMs : 0
    const waitMs = this.#backoff.fail(asked)
    this.#notBeforeMs = monotonicMs() + waitMs
    const code = error instanceof SubmitError ? `SUBMIT_${error.code}` : 'DELIVERY_FAILED'
    if (this.#fault?.code !== code) log.warn({ err: error, lane, waitMs: Math.round(waitMs) }, `${what}; tried again`)
    this.#fault = { code, message: `lane ${lane}: ${what}: ${describeError(error)}` }
  }

  #recovered(): void {
    const { lane, log, now } = this.#settings
    if (this.#fault !== undefined) log.info({ lane }, 'records are answered again')
    this.#fault = undefined
    this.#refusedWhole = 0
    this.#lastAnswerMs = now()
    this.#backoff.reset()
    this.#notBeforeMs = 0
  }

  #restMs(untilMs: number): number {
    return untilMs - this.#settings.monotonicMs()
  }

  /** For whatever was not due at the last look, also when its time has come since: nothing else would wake it. */
  #setTimer(lookedMs: number): void {
    clearTimeout(this.#timer)
    if (this.#stopping.signal.aborted) return
    const waits = [this.#notBeforeMs, ...[...this.#trouble.values()].map(({ notBeforeMs }) => notBeforeMs)]
      .filter((untilMs) => untilMs > lookedMs)
      .map((untilMs) => Math.max(0, this.#restMs(untilMs)))
    if (waits.length > 0) this.#timer = setTimeout(() => this.wake(), Math.min(...waits, MAX_TIMER_MS) + 1)
  }
}

/** Whether another address of the lane may do better. */
function isOthersTurn(error: unknown): boolean {
  return error instanceof SubmitError && error.code !== 'REJECTED' && error.code !== 'UNVERIFIED'
}

function spanText(row: Uint8Array): string {
  return `span ending ${new Date(spanEnd(row) * 1_000).toISOString()}`
}
