import type { RangeReceipt } from '../protocol/receipt.ts'

// Results travel as docs/api.md says; the codec is the client's too.
export {
  DUPLICATE,
  RESULT_BYTES,
  type RecordResult,
  type ResultCode,
  readResult,
  resultName,
  writeResult,
} from '../protocol/wire.ts'

import type { SchemeLayout } from '../protocol/scheme.ts'

/** Records of one request, as ingress hands them to the pipeline. */
export interface Submission {
  readonly lane: number
  /** `count` × (record 24 ‖ signature 64 or 192). The pipeline may keep a reference until it answers. */
  readonly rows: Uint8Array
  readonly count: number
}

/** What a request is told when none of its records was taken in. Nothing of it was stored; it may be sent again. */
export interface Refusal {
  readonly code: 'OVERLOADED' | 'NOT_ACCEPTING' | 'UNKNOWN_LANE'
  readonly message: string
  /** 0: sending it again is of no use. */
  readonly retryAfterMs: number
}

/**
 * The pipeline's answer: durable and promised when it resolves. `results`: `count` × 16 bytes, in the order of the rows. `receipts`: of
 * accepted records all, of duplicates as many as one answer may bring.
 */
export type SubmissionAnswer =
  | { readonly refusal: Refusal }
  | { readonly refusal?: never; readonly results: Uint8Array; readonly receipts: readonly RangeReceipt[] }

/** What ingress sees of the pipeline behind it. `layoutOf`: how long a lane's rows are; undefined for a lane that is not served here. `submit` never rejects for what the records hold. */
export interface RecordSink {
  layoutOf(lane: number): SchemeLayout | undefined
  submit(submission: Submission): Promise<SubmissionAnswer>
}
