import { createHash } from 'node:crypto'
import { parseReceiptJson, receiptJson, type ReceiptFile } from '../../protocol/receiptJson.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { DUPLICATE, type RecordResult, resultName } from '../../protocol/wire.ts'
import {
  type AnsweredRecord,
  checkRows,
  type RetrySettings,
  type SubmitRequest,
  submitWithRetry,
} from '../../client/recordClient.ts'
import { type ReceiptVerifier, unverified } from '../../client/receiptVerifier.ts'
import { SubmitError } from '../../client/submitError.ts'
import { MAX_SUBMITS } from './limits.ts'
import { type AnswerPayload, type ErrorPayload, resultCode } from './payloads.ts'

export interface MqttRecordsSettings {
  readonly lane: number
  readonly receipts: ReceiptVerifier | 'unchecked'
  readonly retry?: RetrySettings | undefined
  /** For the answers to one sending of rows, milliseconds. */
  readonly timeoutMs: number
  /** Resolves when the broker has the message. */
  readonly publish: (payload: Buffer) => Promise<void>
  readonly whenUp: (timeoutMs: number, signal?: AbortSignal) => Promise<boolean>
  /** Ends all submits. */
  readonly closing: AbortSignal
}

/** One record of a submit that has no answer yet. */
interface Waiter {
  readonly take: (answer: AnsweredRecord) => void
  readonly fail: (error: unknown) => void
}

/**
 * Sends rows and waits for what the gateway says of each. That the broker has a message says nothing: a broker acknowledges what its
 * access rules then drop. Rows without an answer are sent again; a gateway that has the answer gives it again.
 */
export class MqttRecords {
  readonly #settings: MqttRecordsSettings
  /** By the record's 24 bytes: the same record may have been signed twice. */
  readonly #waiting = new Map<string, Set<Waiter>>()
  /** By the payload's digest: what was wrong with which message. */
  readonly #refusals = new Map<string, (error: ErrorPayload) => void>()
  /** Messages that the broker does not have yet: the connection sends them again by itself. */
  readonly #publishing = new Map<string, Promise<void>>()
  readonly #turns: (() => void)[] = []
  #underWay = 0

  constructor(settings: MqttRecordsSettings) {
    this.#settings = settings
  }

  async submit({ lane, rows, layout = P256_LAYOUT, signal }: SubmitRequest): Promise<readonly AnsweredRecord[]> {
    if (layout !== P256_LAYOUT) throw new RangeError('rows over MQTT are of P-256 lanes')
    const count = checkRows({ rows, layout })
    if (lane !== this.#settings.lane) throw new SubmitError('UNKNOWN_LANE', `this EVSE is not in lane ${lane}`)
    const { closing } = this.#settings
    const stop = signal === undefined ? closing : AbortSignal.any([closing, signal])
    await this.#turn()
    try {
      stop.throwIfAborted()
      return await this.#submit(rows, count, stop)
    } finally {
      this.#underWay--
      this.#turns.shift()?.()
    }
  }

  /** An answer from the gateway; those nobody waits for were given before. @throws RangeError for a receipt that cannot be read */
  takeAnswer(answer: AnswerPayload): void {
    const row = Buffer.from(answer.row.slice(2), 'hex')
    const waiters = this.#waiting.get(recordKey(row, 0))
    if (waiters === undefined) return
    let checked: AnsweredRecord
    try {
      checked = this.#check(answer, row)
    } catch (error) {
      for (const { fail } of [...waiters]) fail(error)
      return
    }
    for (const { take } of [...waiters]) take(checked)
  }

  takeError(error: ErrorPayload): void {
    this.#refusals.get(error.of)?.(error)
  }

  async #turn(): Promise<void> {
    while (this.#underWay >= MAX_SUBMITS) await new Promise<void>((resolve) => this.#turns.push(resolve))
    this.#underWay++
  }

  async #submit(rows: Uint8Array, count: number, signal: AbortSignal | undefined): Promise<AnsweredRecord[]> {
    const answers = new Array<AnsweredRecord | undefined>(count).fill(undefined)
    let missing = count
    let settle: ((error?: { readonly error: unknown }) => void) | undefined
    const waiters: [string, Waiter][] = []
    for (let i = 0; i < count; i++) {
      const waiter: Waiter = {
        take: (answer) => {
          if (answers[i] !== undefined) return
          answers[i] = answer
          if (--missing === 0) settle?.()
        },
        fail: (error) => settle?.({ error }),
      }
      waiters.push([recordKey(rows, i * SIGNED_RECORD_BYTES), waiter])
    }
    for (const [key, waiter] of waiters) this.#waiting.set(key, (this.#waiting.get(key) ?? new Set()).add(waiter))
    try {
      await submitWithRetry(this.#settings.retry ?? {}, signal, async () => {
        if (missing === 0) return
        const payload = Buffer.concat(
          Array.from({ length: count }, (_, i) =>
            answers[i] === undefined ? rows.subarray(i * SIGNED_RECORD_BYTES, (i + 1) * SIGNED_RECORD_BYTES) : none,
          ),
        )
        const answered = new Promise<void>((resolve, reject) => {
          settle = (failure) => (failure === undefined ? resolve() : reject(failure.error))
        })
        answered.catch(() => {}) // looked at below, unless sending failed first
        await this.#send({ payload, answered, fail: (error) => settle?.({ error }), signal })
      })
      return answers as AnsweredRecord[]
    } catch (error) {
      if (error instanceof SubmitError && missing < count) error.answered = answers
      throw error
    } finally {
      for (const [key, waiter] of waiters) {
        const set = this.#waiting.get(key)
        set?.delete(waiter)
        if (set?.size === 0) this.#waiting.delete(key)
      }
    }
  }

  async #send(sending: {
    payload: Buffer
    answered: Promise<void>
    fail: (error: unknown) => void
    signal: AbortSignal | undefined
  }): Promise<void> {
    const { payload, answered, fail, signal } = sending
    const { timeoutMs, whenUp } = this.#settings
    const digest = `0x${createHash('sha256').update(payload).digest('hex')}`
    const noAnswer = (): SubmitError => new SubmitError('NO_ANSWER', `no receipt in ${timeoutMs} ms`)
    const timer = setTimeout(() => fail(noAnswer()), timeoutMs)
    const onAbort = (): void => fail(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#refusals.set(digest, (error) => {
      // What the gateway will take later, the broker keeps until then; of a message with badly signed rows each row has its answer.
      if (!error.retryable && error.code !== 'BAD_SIGNATURE') fail(refused(error))
    })
    try {
      if (!(await whenUp(timeoutMs, signal))) {
        signal?.throwIfAborted()
        throw new SubmitError('NO_ANSWER', 'no connection to the broker')
      }
      this.#publish(digest, payload, fail)
      await answered
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      this.#refusals.delete(digest)
    }
  }

  #publish(digest: string, payload: Buffer, fail: (error: unknown) => void): void {
    if (this.#publishing.has(digest)) return
    const published = this.#settings.publish(payload)
    this.#publishing.set(digest, published)
    published
      .catch((cause: unknown) => fail(new SubmitError('NO_ANSWER', 'the broker did not take the records', { cause })))
      .finally(() => this.#publishing.delete(digest))
  }

  #check(answer: AnswerPayload, row: Buffer): AnsweredRecord {
    const { receipts, lane } = this.#settings
    const { position, amountMicro, receipt } = answer
    const result: RecordResult = { code: resultCode(answer.result) as RecordResult['code'], position, amountMicro }
    if (result.code !== Outcome.SETTLED && result.code !== DUPLICATE) return result
    if (receipts === 'unchecked') return result
    if (receipt === undefined) throw unverified('NO_RECEIPT', position)
    const file = parseReceiptJson(JSON.stringify(receipt))
    const isSame = receipts.isFor(file) && Buffer.compare(recordOf(file.receipt.row), recordOf(row)) === 0
    if (!isSame) throw unverified('WRONG_PLACE', position)
    return { ...result, receipt: receipts.checkKept(lane, result, file.receipt) }
  }
}

const none = new Uint8Array(0)

/** As the gateway puts it on the receipts topic. */
export function answerPayload(
  row: Uint8Array,
  answer: AnsweredRecord,
  deployment: Pick<ReceiptFile, 'chainId' | 'rollup'>,
): AnswerPayload {
  const { code, position, amountMicro, receipt } = answer
  return {
    row: `0x${Buffer.from(row).toString('hex')}`,
    result: resultName(code) as AnswerPayload['result'],
    position,
    amountMicro,
    ...(receipt && { receipt: receiptJson({ ...deployment, receipt }) as NonNullable<AnswerPayload['receipt']> }),
  }
}

function recordOf(row: Uint8Array): Uint8Array {
  return row.subarray(0, RECORD_BYTES)
}

function recordKey(rows: Uint8Array, at: number): string {
  return Buffer.from(rows.buffer, rows.byteOffset + at, RECORD_BYTES).toString('latin1')
}

function refused({ code, message }: ErrorPayload): SubmitError {
  return new SubmitError(code === 'UNKNOWN_LANE' ? 'UNKNOWN_LANE' : 'REJECTED', `${code}: ${message}`)
}
