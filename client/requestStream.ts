import type { Stream } from '@libp2p/interface'
import {
  AnswerStatus,
  decodeAnswer,
  encodeRequestFrame,
  FrameReader,
  MAX_ANSWER_FRAME_BYTES,
  type RecordAnswer,
  type RefusalStatus,
} from '../protocol/wire.ts'
import { type RawAnswer, readResults } from './recordClient.ts'
import { type SubmitCode, SubmitError } from './submitError.ts'

/** Eight full requests, and as much again while the sequencer holds back. */
const MAX_WRITE_BUFFER_BYTES = 4_194_304

const refusals: Readonly<Record<RefusalStatus, SubmitCode>> = {
  [AnswerStatus.OVERLOADED]: 'OVERLOADED',
  [AnswerStatus.NOT_ACCEPTING]: 'NOT_ACCEPTING',
  [AnswerStatus.UNKNOWN_LANE]: 'UNKNOWN_LANE',
  [AnswerStatus.BAD_FRAME]: 'REJECTED',
}

export interface StreamRequest {
  lane: number
  rows: Uint8Array
  count: number
  signal: AbortSignal | undefined
}

interface Waiting {
  readonly count: number
  readonly resolve: (answer: RawAnswer) => void
  readonly reject: (error: unknown) => void
}

/** Requests and answers over one stream, matched by their ids. A request that gives up leaves its slot taken until the answer comes. */
export class RequestStream {
  readonly #stream: Stream
  readonly #reader = new FrameReader(MAX_ANSWER_FRAME_BYTES)
  readonly #waiting = new Map<number, Waiting>()
  readonly #queue: (() => void)[] = []
  readonly #maxRequests: number
  readonly #timeoutMs: number
  #nextId = 1
  #open = true

  constructor(parts: { stream: Stream; maxRequests: number; timeoutMs: number }) {
    this.#stream = parts.stream
    this.#maxRequests = parts.maxRequests
    this.#timeoutMs = parts.timeoutMs
    this.#stream.maxWriteBufferLength = MAX_WRITE_BUFFER_BYTES
    this.#stream.addEventListener('message', ({ data }) => {
      if (data instanceof Uint8Array) this.#reader.push(data)
      else for (const piece of data) this.#reader.push(piece)
      this.#takeAnswers()
    })
    this.#stream.addEventListener('remoteCloseWrite', () =>
      queueMicrotask(() => this.#fail(new SubmitError('NO_ANSWER', 'the sequencer ended the stream'))),
    )
    this.#stream.addEventListener('close', ({ error }) => {
      this.#fail(
        error instanceof SubmitError ? error : new SubmitError('NO_ANSWER', 'the stream closed', { cause: error }),
      )
    })
  }

  get open(): boolean {
    return this.#open && this.#stream.writeStatus === 'writable'
  }

  /** @throws SubmitError, or the signal's reason. */
  async request(request: StreamRequest): Promise<RawAnswer> {
    while (this.#waiting.size >= this.#maxRequests) {
      await new Promise<void>((resolve) => this.#queue.push(resolve))
    }
    request.signal?.throwIfAborted()
    if (!this.open) throw new SubmitError('NO_ANSWER', 'the stream closed')
    return this.#send(request)
  }

  async close(): Promise<void> {
    try {
      await this.#stream.close({ signal: AbortSignal.timeout(1_000) })
    } catch (error) {
      this.#stream.abort(error as Error)
    }
    this.#fail(new SubmitError('NO_ANSWER', 'the client was closed'))
  }

  #send({ lane, rows, count, signal }: StreamRequest): Promise<RawAnswer> {
    const requestId = this.#nextId
    this.#nextId = requestId === 0xffffffff ? 1 : requestId + 1
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // A stream that does not answer is of no more use, to this request or to others.
        this.#stream.abort(new SubmitError('NO_ANSWER', 'no answer in time'))
      }, this.#timeoutMs)
      const onAbort = (): void => reject(signal?.reason)
      const settle = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.set(requestId, {
        count,
        resolve: (answer) => {
          settle()
          resolve(answer)
        },
        reject: (error) => {
          settle()
          reject(error)
        },
      })
      try {
        this.#stream.send(encodeRequestFrame({ requestId, lane, rows }))
      } catch (cause) {
        this.#waiting.delete(requestId)
        settle()
        reject(new SubmitError('NO_ANSWER', 'the stream broke', { cause }))
      }
    })
  }

  #takeAnswers(): void {
    for (let payload = this.#reader.takeFrame(); payload !== undefined; payload = this.#reader.takeFrame()) {
      const answer = payload === 'BAD_LENGTH' ? undefined : decodeAnswer(payload)
      const waiting = answer === undefined ? undefined : this.#waiting.get(answer.requestId)
      if (answer === undefined || waiting === undefined) {
        const rejected = answer?.status === AnswerStatus.BAD_FRAME
        this.#stream.abort(
          rejected
            ? new SubmitError('REJECTED', 'the sequencer could not read our frames')
            : new SubmitError('BAD_ANSWER', 'the sequencer sent what is no answer'),
        )
        return
      }
      this.#waiting.delete(answer.requestId)
      settleWith(waiting, answer)
      this.#queue.shift()?.()
    }
  }

  #fail(error: SubmitError): void {
    if (!this.#open) return
    this.#open = false
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
    for (const resume of this.#queue.splice(0)) resume()
  }
}

function settleWith(waiting: Waiting, answer: RecordAnswer): void {
  if (answer.status !== AnswerStatus.RESULTS) {
    const code = refusals[answer.status]
    const { retryAfterMs } = answer
    waiting.reject(new SubmitError(code, `the sequencer refused the request: ${code}`, { retryAfterMs }))
    return
  }
  try {
    waiting.resolve({ results: readResults(answer.results, waiting.count), receipts: answer.receipts })
  } catch (error) {
    waiting.reject(error)
  }
}
