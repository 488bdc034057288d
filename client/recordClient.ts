import { setTimeout as sleep } from 'node:timers/promises'
import type { Receipt } from '../protocol/receipt.ts'
import { decodeReceipts, MAX_ANSWER_RECEIPTS } from '../protocol/receiptWire.ts'
import { P256_LAYOUT, type SchemeLayout } from '../protocol/scheme.ts'
import {
  countRows,
  DUPLICATE,
  MAX_REQUEST_RECORDS,
  RESULT_BYTES,
  type RecordResult,
  readResult,
} from '../protocol/wire.ts'
import { type ReceiptVerifier, unverified } from './receiptVerifier.ts'
import { SubmitError } from './submitError.ts'

export interface SubmitRequest {
  readonly lane: number
  /** 1 … 1 024 × (record 24 ‖ signature 64; in a BLS lane 192, uncompressed, as its receipt will have it), of one EVSE in the order of their spans. */
  readonly rows: Uint8Array
  /** Of the lane's scheme. Default: P-256. */
  readonly layout?: SchemeLayout | undefined
  readonly signal?: AbortSignal
}

/** `receipt`: of an accepted record or a duplicate, checked; absent when receipts go unchecked. */
export type AnsweredRecord = RecordResult & { readonly receipt?: Receipt | undefined }

/** A way to a sequencer. Keep a record until its result is here: what is accepted is durable and promised then, and not before. */
export interface RecordClient extends AsyncDisposable {
  /** Results in the order of the rows. @throws SubmitError; the signal's reason; RangeError for rows that are no rows. */
  submit(request: SubmitRequest): Promise<readonly AnsweredRecord[]>
  close(): Promise<void>
}

export interface SubmitSettings {
  /** What accepted records' receipts are held against. 'unchecked' is for who measures a sequencer, and has no records to lose. */
  receipts: ReceiptVerifier | 'unchecked'
  retry?: RetrySettings
}

/** One answer as it came. */
export interface RawAnswer {
  readonly results: readonly RecordResult[]
  /** As `encodeReceipts`. */
  readonly receipts: Uint8Array
}

/** Submits, tries again while that helps, and believes nothing that the lane's operator has not signed. */
export async function submitChecked(
  settings: SubmitSettings,
  { lane, rows, layout = P256_LAYOUT, signal }: SubmitRequest,
  attempt: (rows: Uint8Array, count: number) => Promise<RawAnswer>,
): Promise<readonly AnsweredRecord[]> {
  const { rowBytes } = layout
  const count = checkRows({ rows, layout })
  const { results, receipts } = await submitWithRetry(settings.retry ?? {}, signal, () => attempt(rows, count))
  if (settings.receipts === 'unchecked') return results
  const ranges = decodeReceipts(receipts, lane)
  if (ranges === undefined) throw new SubmitError('BAD_ANSWER', 'the answer’s receipts cannot be read')
  const checked = settings.receipts.check({ lane, rows, rowBytes }, results, ranges)
  const answered: AnsweredRecord[] = results.map((result, i) => ({ ...result, receipt: checked[i] }))
  const without = answered.flatMap(({ code, receipt }, i) => (code === DUPLICATE && receipt === undefined ? [i] : []))
  if (without.length > 0 && count <= MAX_ANSWER_RECEIPTS)
    throw unverified('NO_RECEIPT', answered[without[0]!]!.position)
  // An answer brings a few receipts only; duplicates from many micro-batches are asked for again, so many at a time.
  for (let from = 0; from < without.length; from += MAX_ANSWER_RECEIPTS) {
    const part = without.slice(from, from + MAX_ANSWER_RECEIPTS)
    const again = Buffer.concat(part.map((i) => rows.subarray(i * rowBytes, (i + 1) * rowBytes)))
    const found = await submitChecked(settings, { lane, rows: again, layout, ...(signal && { signal }) }, attempt)
    for (const [k, i] of part.entries()) answered[i] = found[k]!
  }
  return answered
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

export function checkRows({ rows, layout = P256_LAYOUT }: Pick<SubmitRequest, 'rows' | 'layout'>): number {
  const count = countRows(layout, rows)
  if (count === undefined) {
    throw new RangeError(`rows are 1 to ${MAX_REQUEST_RECORDS} times ${layout.rowBytes} bytes, not ${rows.length}`)
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
