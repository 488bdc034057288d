import type { RangeReceipt } from '../../../protocol/receipt.ts'
import { RESULT_BYTES, type RecordResult, writeResult } from '../../../protocol/wire.ts'
import { P256_LAYOUT, type SchemeLayout } from '../../../protocol/scheme.ts'
import type { RecordSink, Submission, SubmissionAnswer } from '../../../sequencer/submission.ts'

/** The pipeline's double at its interface: answers as told, or holds its answers until released. */
export class FakeSink implements RecordSink {
  readonly submissions: Submission[] = []
  /** What becomes of a record, by its place in the request. */
  answer: (submission: Submission, index: number) => RecordResult = (_submission, index) => ({
    code: 0,
    position: index + 1,
    amountMicro: 1_000 + index,
  })
  receipts: readonly RangeReceipt[] = []
  refusal: SubmissionAnswer | undefined
  fault: Error | undefined
  layouts: (lane: number) => SchemeLayout | undefined = () => P256_LAYOUT
  #held: (() => void)[] | undefined

  layoutOf(lane: number): SchemeLayout | undefined {
    return this.layouts(lane)
  }

  hold(): void {
    this.#held = []
  }

  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const go of held) go()
  }

  async submit(submission: Submission): Promise<SubmissionAnswer> {
    this.submissions.push(submission)
    const held = this.#held
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve))
    if (this.fault !== undefined) throw this.fault
    if (this.refusal !== undefined) return this.refusal
    const results = new Uint8Array(submission.count * RESULT_BYTES)
    for (let i = 0; i < submission.count; i++) writeResult(results, i * RESULT_BYTES, this.answer(submission, i))
    return { results, receipts: this.receipts }
  }
}

/** n rows whose bytes tell them apart. */
export function rowsOf(count: number, seed = 1): Uint8Array {
  const rows = new Uint8Array(count * 88)
  for (let i = 0; i < rows.length; i++) rows[i] = (i * 31 + seed * 7 + 1) & 0xff
  return rows
}
