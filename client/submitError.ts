import type { AnsweredRecord } from './recordClient.ts'
import type { ReceiptFault } from './receiptVerifier.ts'

export type SubmitCode =
  /** The sequencer, or this sender's share of it, is full. */
  | 'OVERLOADED'
  | 'NOT_ACCEPTING'
  | 'UNKNOWN_LANE'
  /** The sequencer says that we broke the protocol. */
  | 'REJECTED'
  /** The sequencer broke the protocol. */
  | 'BAD_ANSWER'
  /** No answer: the records may or may not have been taken in. Sending them again is safe. */
  | 'NO_ANSWER'
  /** The answer is not backed by the lane's operator: keep the records. `fault` says what is wrong with it. */
  | 'UNVERIFIED'

/** Why a request was not answered with results. */
export class SubmitError extends Error {
  override readonly name = 'SubmitError'
  readonly code: SubmitCode
  /** Whether the same request may succeed later. */
  readonly retryable: boolean
  /** How long to wait before. */
  readonly retryAfterMs: number
  /** In the order of the rows: what is known of some of them all the same. Undefined: nothing of any. */
  answered: readonly (AnsweredRecord | undefined)[] | undefined
  /** With UNVERIFIED. */
  readonly fault: ReceiptFault | undefined

  constructor(
    code: SubmitCode,
    message: string,
    options: { retryAfterMs?: number; cause?: unknown; fault?: ReceiptFault } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = code === 'OVERLOADED' || code === 'NOT_ACCEPTING' || code === 'NO_ANSWER'
    this.fault = options.fault
    this.retryAfterMs = options.retryAfterMs ?? 0
  }
}
