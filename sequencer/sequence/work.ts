import { type Refusal, RESULT_BYTES, type SubmissionAnswer } from '../submission.ts'
import type { VerifiedWork } from './microBatch.ts'

/** A submission on its way: its place in the lane's order is taken when it is made. */
export interface Work extends VerifiedWork {
  readonly answer: Promise<SubmissionAnswer>
  /** Signatures judged: it may be sequenced. */
  verified(): void
  /** It cannot be judged; it leaves the order. */
  abandon(refusal: Refusal): void
}

/** The writer's side of it. */
export interface QueuedWork extends VerifiedWork {
  state: 'verifying' | 'verified' | Refusal
  readonly queuedAt: number
  readonly resolve: (answer: SubmissionAnswer) => void
}

/** `wake` is called when the work may leave the queue. */
export function newWork(rows: Uint8Array, count: number, wake: () => void): { queued: QueuedWork; work: Work } {
  const { promise, resolve } = Promise.withResolvers<SubmissionAnswer>()
  const verified: VerifiedWork = {
    rows,
    count,
    verdicts: new Uint8Array(count),
    results: new Uint8Array(count * RESULT_BYTES),
  }
  const queued: QueuedWork = { ...verified, state: 'verifying', queuedAt: performance.now(), resolve }
  const become = (state: QueuedWork['state']): void => {
    queued.state = state
    wake()
  }
  const work = { ...verified, answer: promise, verified: () => become('verified'), abandon: become }
  return { queued, work }
}
