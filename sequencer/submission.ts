import { readU16, readU48, readU64, writeU48, writeU64 } from '../protocol/bigEndian.ts'
import { type Outcome, outcomeNames } from '../protocol/outcome.ts'

/** Records of one request, as ingress hands them to the pipeline. */
export interface Submission {
  readonly lane: number
  /** `count` × (record 24 ‖ signature 64). The pipeline may keep a reference until it answers. */
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

/** The pipeline's answer: durable when it resolves. `results`: `count` × 16 bytes, in the order of the rows. */
export type SubmissionAnswer =
  | { readonly refusal: Refusal }
  | { readonly refusal?: never; readonly results: Uint8Array }

/** What ingress sees of the pipeline behind it. `submit` never rejects for what the records hold. */
export interface RecordSink {
  submit(submission: Submission): Promise<SubmissionAnswer>
}

/** The record was accepted before, byte for byte (HTTP 208). Other codes are `Outcome`'s. */
export const DUPLICATE = 208
export type ResultCode = Outcome | typeof DUPLICATE

export interface RecordResult {
  readonly code: ResultCode
  /** Place in the lane's order, for accepted records and duplicates; else 0. */
  readonly position: number
  readonly amountMicro: number
}

/** code u8 | reserved u8 | position u48 | amountMicro u64 */
export const RESULT_BYTES = 16

export function writeResult(into: Uint8Array, at: number, result: RecordResult): void {
  into[at] = result.code
  into[at + 1] = 0
  writeU48(into, at + 2, result.position)
  writeU64(into, at + 8, result.amountMicro)
}

export function readResult(bytes: Uint8Array, at = 0): RecordResult {
  return {
    code: (readU16(bytes, at) >>> 8) as ResultCode,
    position: readU48(bytes, at + 2),
    amountMicro: readU64(bytes, at + 8),
  }
}

export function resultName(code: ResultCode): string {
  return code === DUPLICATE ? 'DUPLICATE' : outcomeNames[code]!
}
