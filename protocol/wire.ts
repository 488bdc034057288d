import { readU16, readU32, readU48, readU64, writeU16, writeU32, writeU48, writeU64 } from './bigEndian.ts'
import { type Outcome, outcomeNames } from './outcome.ts'
import { MAX_ANSWER_RECEIPT_BYTES } from './receiptWire.ts'
import { BLS_LAYOUT, type SchemeLayout } from './scheme.ts'

// How signed records travel to a sequencer, and its answers back: over a libp2p stream as the frames below, over HTTP as the rows
// or results of one frame alone (docs/api.md).
//
//   frame     length u32 | payload
//   request   requestId u32 | lane u32 | n × row                                    1 ≤ n ≤ 1 024
//   row       record 24 ‖ signature 64; 192 in a BLS lane
//   answer    requestId u32 | status u8 | n u16 | n × result 16 | receipts          status 0
//                                       | retryAfterMs u32                          status 1 … 4
//   result    code u8 | reserved u8 | position u48 | amountMicro u64
//   receipts  receiptWire.ts

export const RECORDS_PROTOCOL = '/backfeed/records/2'

/** A full request is 90 KB, or 221 KB of a BLS lane: large enough that per-request costs vanish, small enough that hundreds fit into memory. */
export const MAX_REQUEST_RECORDS = 1_024
export const FRAME_PREFIX_BYTES = 4
const REQUEST_HEAD_BYTES = 8
const ANSWER_HEAD_BYTES = 5
export const RESULT_BYTES = 16
export const MAX_REQUEST_FRAME_BYTES = REQUEST_HEAD_BYTES + MAX_REQUEST_RECORDS * BLS_LAYOUT.rowBytes
const RESULTS_HEAD_BYTES = 2
export const MAX_ANSWER_FRAME_BYTES =
  ANSWER_HEAD_BYTES + RESULTS_HEAD_BYTES + MAX_REQUEST_RECORDS * RESULT_BYTES + MAX_ANSWER_RECEIPT_BYTES

/** The record was accepted before, byte for byte. Other codes are `Outcome`'s. */
export const DUPLICATE = 208
export type ResultCode = Outcome | typeof DUPLICATE

export interface RecordResult {
  readonly code: ResultCode
  /** Place in the lane's order, for accepted records and duplicates; else 0. */
  readonly position: number
  readonly amountMicro: number
}

export const AnswerStatus = { RESULTS: 0, OVERLOADED: 1, NOT_ACCEPTING: 2, UNKNOWN_LANE: 3, BAD_FRAME: 4 } as const
export type AnswerStatus = (typeof AnswerStatus)[keyof typeof AnswerStatus]
export type RefusalStatus = Exclude<AnswerStatus, 0>

export interface RecordRequest {
  readonly requestId: number
  readonly lane: number
  /** A view of the payload: one or more bytes. How many rows they are is the lane's to say (`countRows`). */
  readonly rows: Uint8Array
}

export type RecordAnswer =
  | {
      readonly requestId: number
      readonly status: typeof AnswerStatus.RESULTS
      readonly results: Uint8Array
      /** As `encodeReceipts`. */
      readonly receipts: Uint8Array
    }
  | { readonly requestId: number; readonly status: RefusalStatus; readonly retryAfterMs: number }

/** Of what a request holds; undefined when it is not 1 … 1 024 whole rows. */
export function countRows({ rowBytes }: SchemeLayout, rows: Uint8Array): number | undefined {
  const count = rows.length / rowBytes
  return Number.isInteger(count) && count >= 1 && count <= MAX_REQUEST_RECORDS ? count : undefined
}

/** The whole frame, prefix included. `rows`: 1 … 1 024 of the lane's. */
export function encodeRequestFrame(request: RecordRequest): Uint8Array {
  const frame = new Uint8Array(FRAME_PREFIX_BYTES + REQUEST_HEAD_BYTES + request.rows.length)
  writeU32(frame, 0, frame.length - FRAME_PREFIX_BYTES)
  writeU32(frame, 4, request.requestId)
  writeU32(frame, 8, request.lane)
  frame.set(request.rows, 12)
  return frame
}

/** Undefined when the payload is no request; its id, if it has one, is then `requestIdOf`. */
export function decodeRequest(payload: Uint8Array): RecordRequest | undefined {
  const bytes = payload.length - REQUEST_HEAD_BYTES
  if (bytes <= 0 || payload.length > MAX_REQUEST_FRAME_BYTES) return undefined
  return {
    requestId: readU32(payload, 0),
    lane: readU32(payload, 4),
    rows: payload.subarray(REQUEST_HEAD_BYTES),
  }
}

/** 0 when the payload is too short to hold one. */
export function requestIdOf(payload: Uint8Array): number {
  return payload.length < 4 ? 0 : readU32(payload, 0)
}

/** The whole frame, prefix included. */
export function encodeAnswerFrame(answer: RecordAnswer): Uint8Array {
  const isAnswered = answer.status === AnswerStatus.RESULTS
  const bodyBytes = isAnswered ? RESULTS_HEAD_BYTES + answer.results.length + answer.receipts.length : 4
  const frame = new Uint8Array(FRAME_PREFIX_BYTES + ANSWER_HEAD_BYTES + bodyBytes)
  writeU32(frame, 0, ANSWER_HEAD_BYTES + bodyBytes)
  writeU32(frame, 4, answer.requestId)
  frame[8] = answer.status
  if (isAnswered) {
    writeU16(frame, 9, answer.results.length / RESULT_BYTES)
    frame.set(answer.results, 11)
    frame.set(answer.receipts, 11 + answer.results.length)
  } else writeU32(frame, 9, answer.retryAfterMs)
  return frame
}

/** Undefined when the payload is no answer. */
export function decodeAnswer(payload: Uint8Array): RecordAnswer | undefined {
  const bytes = payload.length - ANSWER_HEAD_BYTES
  if (bytes <= 0 || payload.length > MAX_ANSWER_FRAME_BYTES) return undefined
  const requestId = readU32(payload, 0)
  const status = payload[4]!
  if (status === AnswerStatus.RESULTS) {
    if (bytes < RESULTS_HEAD_BYTES) return undefined
    const results = payload.subarray(ANSWER_HEAD_BYTES + RESULTS_HEAD_BYTES)
    const resultBytes = readU16(payload, ANSWER_HEAD_BYTES) * RESULT_BYTES
    if (resultBytes === 0 || resultBytes > results.length) return undefined
    return { requestId, status, results: results.subarray(0, resultBytes), receipts: results.subarray(resultBytes) }
  }
  if (status > AnswerStatus.BAD_FRAME || bytes !== 4) return undefined
  return { requestId, status: status as RefusalStatus, retryAfterMs: readU32(payload, ANSWER_HEAD_BYTES) }
}

/**
 * Cuts a byte stream, arriving in pieces of any size, into frame payloads. Holds what was pushed and not yet taken, so whoever pushes
 * must stop while `pendingBytes` is above what they can afford. A length of 0 or above the maximum is final: `takeFrame` says
 * 'BAD_LENGTH' from then on, since nothing after it can be trusted.
 */
export class FrameReader {
  readonly #maxPayloadBytes: number
  readonly #pieces: Uint8Array[] = []
  #headOffset = 0
  #pendingBytes = 0

  constructor(maxPayloadBytes: number) {
    this.#maxPayloadBytes = maxPayloadBytes
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return
    this.#pieces.push(piece)
    this.#pendingBytes += piece.length
  }

  /** The next whole payload, in an array of its own; undefined when more bytes are needed. */
  takeFrame(): Uint8Array | 'BAD_LENGTH' | undefined {
    if (this.#pendingBytes < FRAME_PREFIX_BYTES) return undefined
    const length = this.#peekLength()
    if (length === 0 || length > this.#maxPayloadBytes) return 'BAD_LENGTH'
    if (this.#pendingBytes < FRAME_PREFIX_BYTES + length) return undefined
    this.#copyOut(FRAME_PREFIX_BYTES)
    return this.#copyOut(length)
  }

  #peekLength(): number {
    const head = this.#pieces[0]!
    if (head.length - this.#headOffset >= FRAME_PREFIX_BYTES) return readU32(head, this.#headOffset)
    let length = 0
    let at = this.#headOffset
    let index = 0
    for (let i = 0; i < FRAME_PREFIX_BYTES; i++) {
      while (at === this.#pieces[index]!.length) {
        index++
        at = 0
      }
      length = length * 0x100 + this.#pieces[index]![at++]!
    }
    return length
  }

  #copyOut(bytes: number): Uint8Array {
    const out = new Uint8Array(bytes)
    let filled = 0
    let used = 0
    while (filled < bytes) {
      const piece = this.#pieces[used]!
      const part = Math.min(piece.length - this.#headOffset, bytes - filled)
      out.set(piece.subarray(this.#headOffset, this.#headOffset + part), filled)
      filled += part
      this.#headOffset += part
      if (this.#headOffset === piece.length) {
        used++
        this.#headOffset = 0
      }
    }
    this.#pieces.splice(0, used)
    this.#pendingBytes -= bytes
    return out
  }
}

export function writeResult(into: Uint8Array, at: number, result: RecordResult): void {
  into[at] = result.code
  into[at + 1] = 0
  writeU48(into, at + 2, result.position)
  writeU64(into, at + 8, result.amountMicro)
}

/** @throws RangeError on a code that no sequencer gives. */
export function readResult(bytes: Uint8Array, at = 0): RecordResult {
  const code = bytes[at]!
  if (code !== DUPLICATE && outcomeNames[code] === undefined) throw new RangeError(`unknown result code ${code}`)
  return { code: code as ResultCode, position: readU48(bytes, at + 2), amountMicro: readU64(bytes, at + 8) }
}

export function resultName(code: ResultCode): string {
  return code === DUPLICATE ? 'DUPLICATE' : outcomeNames[code]!
}
