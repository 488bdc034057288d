import type { ReceiptIssuer } from '../receiptIssuer.ts'
import { EntryKind, type RecordsEntry } from '../store/entry.ts'
import type { SubmissionAnswer } from '../submission.ts'
import type { MicroBatch, VerifiedWork } from './microBatch.ts'

export interface AnsweredWork extends VerifiedWork {
  readonly resolve: (answer: SubmissionAnswer) => void
}

/** From durable to answered: signing goes on beside the next write, so that no write waits for a signature. */
export class Answers {
  readonly #receipts: ReceiptIssuer
  readonly #pending = new Set<Promise<void>>()

  constructor(receipts: ReceiptIssuer) {
    this.#receipts = receipts
  }

  get waiting(): boolean {
    return this.#pending.size > 0
  }

  /** What a write of entries `place` made durable, from this position on. */
  sign(
    micro: MicroBatch,
    firstPosition: number,
    place: { firstSequence: number; lastSequence: number },
  ): Promise<void> {
    const entries = micro.entries.filter((entry): entry is RecordsEntry => entry.kind === EntryKind.RECORDS)
    return entries.length === 0 ? Promise.resolve() : this.#receipts.sign({ ...place, firstPosition, entries })
  }

  /** `failed` is told of what cannot be answered with receipts, and answers the works in its own way. */
  give(works: readonly AnsweredWork[], signed: Promise<void>, failed: (error: unknown) => void): void {
    const answering = this.#give(works, signed).catch(failed)
    this.#pending.add(answering)
    void answering.finally(() => this.#pending.delete(answering))
  }

  async settled(): Promise<void> {
    await Promise.all(this.#pending)
  }

  async #give(works: readonly AnsweredWork[], signed: Promise<void>): Promise<void> {
    await signed
    for (const { resolve, results } of works) resolve({ results, receipts: await this.#receipts.receiptsOf(results) })
  }
}
