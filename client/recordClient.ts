import { setTimeout as sleep } from 'node:timers/promises'
import { SIGNED_RECORD_BYTES } from '../protocol/record.ts'
import { MAX_REQUEST_RECORDS, RESULT_BYTES, type RecordResult, readResult } from '../protocol/wire.ts'
import { SubmitError } from './submitError.ts'

export interface SubmitRequest {
  readonly lane: number
  /** 1 … 1 024 × (record 24 ‖ signature 64), of one EVSE in the order of their spans. */
  readonly rows: Uint8Array
  readonly signal?: AbortSignal
}

/** A way to a sequencer. Keep a record until its result is here: what is accepted is durable then, and not before. */
export interface RecordClient extends AsyncDisposable {
  /** Results in the order of the rows. @throws SubmitError; the signal's reason; RangeError for rows that are no rows. */
  submit(request: SubmitRequest): Promise<readonly RecordResult[]>
  close(): Promise<void>
}

/** Waits between attempts: what the sequencer asked for, and at least this, doubling up to the maximum. */
export interface RetrySettings {
  /** Default 5; 1 never tries again. */
  attempts?: number
  firstDelayMs?: number
  maxDelayMs?: number
}

/** Tries again while that may help. Records that were taken in by an attempt without an answer come back as DUPLICATE. */
export async function submitWithRetry<T>(
  settings: RetrySettings,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  const { attempts = 5, firstDelayMs = 200, maxDelayMs = 10_000 } = settings
  for (let index = 1; ; index++) {
    signal?.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof SubmitError) || !error.retryable || index >= attempts) throw error
      const backoffMs = Math.min(firstDelayMs * 2 ** (index - 1), maxDelayMs)
      // Up to half as much again, so that a fleet that was turned away together does not come back together.
      const waitMs = Math.max(error.retryAfterMs, backoffMs) * (1 + Math.random() / 2)
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal })
    }
  }
}

export function checkRows(rows: Uint8Array): number {
  const count = rows.length / SIGNED_RECORD_BYTES
  if (!Number.isInteger(count) || count < 1 || count > MAX_REQUEST_RECORDS) {
    throw new RangeError(`rows are 1 to ${MAX_REQUEST_RECORDS} times ${SIGNED_RECORD_BYTES} bytes, not ${rows.length}`)
  }
  return count
}

export function readResults(bytes: Uint8Array, count: number): RecordResult[] {
  if (bytes.length !== count * RESULT_BYTES) {
    throw new SubmitError('BAD_ANSWER', `${bytes.length} bytes of results for ${count} records`)
  }
  const results: RecordResult[] = []
  try {
    for (let i = 0; i < count; i++) results.push(readResult(bytes, i * RESULT_BYTES))
  } catch (cause) {
    throw new SubmitError('BAD_ANSWER', 'a result has an unknown code', { cause })
  }
  return results
}
