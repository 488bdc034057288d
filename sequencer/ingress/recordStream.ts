import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { encodeReceipts } from '../../protocol/receiptWire.ts'
import {
  AnswerStatus,
  countRows,
  decodeRequest,
  encodeAnswerFrame,
  FrameReader,
  MAX_REQUEST_FRAME_BYTES,
  type RecordRequest,
  type RefusalStatus,
  requestIdOf,
} from '../../protocol/wire.ts'
import type { Logger } from '../../runtime/log.ts'
import {
  LIBP2P_CLOSE_TIMEOUT_MS,
  LIBP2P_FRAME_TIMEOUT_MS,
  LIBP2P_MAX_STREAM_REQUESTS,
  LIBP2P_WRITE_HIGH_WATER_BYTES,
} from '../limits.ts'
import type { SubmissionAnswer } from '../submission.ts'
import type { Intake } from './intake.ts'

export interface RecordStreamParts {
  stream: Stream
  /** What admission counts shares by. */
  peer: string
  intake: Intake
  log: Logger
  /** Requests that may wait for their answers. Default LIBP2P_MAX_STREAM_REQUESTS. */
  maxRequests?: number
  /** Default LIBP2P_FRAME_TIMEOUT_MS. */
  frameTimeoutMs?: number
}

const refusalStatus = {
  OVERLOADED: AnswerStatus.OVERLOADED,
  PEER_LIMIT: AnswerStatus.OVERLOADED,
  NOT_ACCEPTING: AnswerStatus.NOT_ACCEPTING,
  UNKNOWN_LANE: AnswerStatus.UNKNOWN_LANE,
} as const satisfies Record<string, RefusalStatus>

/**
 * One record stream of a peer: frames in, answers out in the order in which they become known. It is read only while fewer than
 * `maxRequests` wait and the peer takes its answers; otherwise it is paused, yamux grants no more window, and the peer stops.
 */
export class RecordStream {
  readonly #parts: RecordStreamParts
  readonly #stream: Stream
  readonly #reader = new FrameReader(MAX_REQUEST_FRAME_BYTES)
  readonly #maxRequests: number
  readonly #frameTimeoutMs: number
  #waiting = 0
  /** After a bad frame: no more requests are taken; the stream ends when the last answer is out. */
  #ending = false
  /** The peer has sent all it wants to; what is here of it is still served. */
  #remoteEnded = false
  #closing = false
  #closed = false
  #paused = false
  #pumping = false
  #partialSinceMs: number | undefined

  constructor(parts: RecordStreamParts) {
    this.#parts = parts
    this.#stream = parts.stream
    this.#maxRequests = parts.maxRequests ?? LIBP2P_MAX_STREAM_REQUESTS
    this.#frameTimeoutMs = parts.frameTimeoutMs ?? LIBP2P_FRAME_TIMEOUT_MS
    // The stream's own listeners come first and act in a microtask; ours sees what they did.
    this.#stream.addEventListener('drain', () => queueMicrotask(() => this.#guard(() => this.#pump())))
    this.#stream.addEventListener('remoteCloseWrite', () => {
      this.#remoteEnded = true
      queueMicrotask(() => this.#guard(() => this.#pump()))
    })
    this.#stream.addEventListener('close', () => {
      this.#closed = true
    })
    this.#stream.addEventListener('message', (event) => this.#guard(() => this.#receive(event)))
  }

  /** Ends a stream that began a frame and does not finish it. To be called every second or so. `steadyMs`: by `performance.now()`. */
  checkStalled(steadyMs: number): void {
    if (this.#partialSinceMs === undefined || this.#paused) return
    if (steadyMs - this.#partialSinceMs < this.#frameTimeoutMs) return
    this.#parts.intake.metrics.refused('libp2p', 'STALLED')
    this.#stream.abort(new Error('a frame did not arrive in time'))
  }

  #receive(event: StreamMessageEvent): void {
    if (this.#ending) return
    const { data } = event
    if (data instanceof Uint8Array) this.#reader.push(data)
    else for (const piece of data) this.#reader.push(piece)
    this.#pump()
  }

  /**
   * Takes what can be taken, then sets the flow. `resume` hands over what had been buffered before it returns, and would undo a `pause` made
   * meanwhile: so nothing pauses inside it, and the loop looks again after it.
   */
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      do this.#takeFrames()
      while (this.#setFlow())
    } finally {
      this.#pumping = false
    }
    this.#finishIfDone()
  }

  /** True: reading goes on again, and what had been buffered has arrived. */
  #setFlow(): boolean {
    if (this.#closed || this.#ending) return false
    const pause = !this.#mayRead()
    if (pause === this.#paused) return false
    this.#paused = pause
    if (pause) {
      this.#partialSinceMs = undefined // that the rest of a frame is late is our doing now
      if (this.#stream.readStatus === 'readable') this.#stream.pause()
      return false
    }
    if (this.#stream.readStatus === 'paused') this.#stream.resume()
    return true
  }

  #mayRead(): boolean {
    return (
      this.#waiting < this.#maxRequests &&
      !this.#stream.writableNeedsDrain &&
      this.#stream.writeBufferLength < LIBP2P_WRITE_HIGH_WATER_BYTES
    )
  }

  #takeFrames(): void {
    while (!this.#ending && !this.#closed && this.#mayRead()) {
      const payload = this.#reader.takeFrame()
      if (payload === undefined) {
        this.#partialSinceMs = this.#reader.pendingBytes > 0 ? (this.#partialSinceMs ?? performance.now()) : undefined
        return
      }
      this.#partialSinceMs = undefined
      const request = payload === 'BAD_LENGTH' ? undefined : decodeRequest(payload)
      if (request === undefined) {
        this.#refuseFrame(payload === 'BAD_LENGTH' ? 0 : requestIdOf(payload))
        return
      }
      this.#serve(request)
    }
  }

  #serve(request: RecordRequest): void {
    const { intake, peer, log } = this.#parts
    const { requestId, lane, rows } = request
    const layout = intake.layoutOf(lane)
    if (layout === undefined) {
      intake.metrics.refused('libp2p', 'UNKNOWN_LANE')
      this.#send(encodeAnswerFrame({ requestId, status: AnswerStatus.UNKNOWN_LANE, retryAfterMs: 0 }))
      return
    }
    const count = countRows(layout, rows)
    if (count === undefined) {
      this.#refuseFrame(requestId)
      return
    }
    const admitted = intake.admit('libp2p', peer, count, layout)
    if (admitted.ticket === undefined) {
      const { code, retryAfterMs } = admitted.refusal
      this.#send(encodeAnswerFrame({ requestId, status: refusalStatus[code], retryAfterMs }))
      return
    }
    this.#waiting++
    intake
      .submit('libp2p', admitted.ticket, { lane, rows, count })
      .then((answer) => this.#answer(requestId, answer))
      .catch((error: unknown) => {
        log.error({ err: error, peer }, 'a record stream failed')
        this.#stream.abort(new Error('internal fault'))
      })
  }

  #answer(requestId: number, answer: SubmissionAnswer): void {
    this.#waiting--
    const { refusal } = answer
    this.#send(
      refusal === undefined
        ? encodeAnswerFrame({
            requestId,
            status: AnswerStatus.RESULTS,
            results: answer.results,
            receipts: encodeReceipts(answer.receipts),
          })
        : encodeAnswerFrame({ requestId, status: refusalStatus[refusal.code], retryAfterMs: refusal.retryAfterMs }),
    )
    this.#pump()
  }

  /** A peer that sent a bad frame cannot be understood any more: it is told so, and the stream ends. */
  #refuseFrame(requestId: number): void {
    this.#parts.intake.metrics.refused('libp2p', 'BAD_FRAME')
    this.#send(encodeAnswerFrame({ requestId, status: AnswerStatus.BAD_FRAME, retryAfterMs: 0 }))
    this.#ending = true
    if (this.#stream.readStatus === 'readable') this.#stream.pause() // what else it sends is not wanted
  }

  #send(frame: Uint8Array): void {
    if (this.#closed || this.#stream.writeStatus !== 'writable') return
    try {
      this.#stream.send(frame)
    } catch (error) {
      // The stream broke under us; its close event follows. The peer sends the records again and is told DUPLICATE.
      this.#parts.log.debug({ err: error, peer: this.#parts.peer }, 'an answer could not be sent')
    }
  }

  #finishIfDone(): void {
    if (this.#waiting > 0 || this.#closed || this.#closing) return
    const servedAll = this.#remoteEnded && !this.#paused && this.#stream.readBufferLength === 0
    if (!this.#ending && !servedAll) return
    this.#closing = true
    void this.#close()
  }

  /** What the peer still sends is never read, so after the last answer the stream is reset. */
  async #close(): Promise<void> {
    try {
      await this.#stream.close({ signal: AbortSignal.timeout(LIBP2P_CLOSE_TIMEOUT_MS) })
      if (this.#stream.status === 'open') this.#stream.abort(new Error('ended after a bad frame'))
    } catch {
      this.#stream.abort(new Error('the peer does not take its answers'))
    }
  }

  /** An exception in a listener would end the process; what one peer does may end its own stream at most. */
  #guard(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#parts.log.error({ err: error, peer: this.#parts.peer }, 'a record stream failed')
      this.#stream.abort(new Error('internal fault'))
    }
  }
}
