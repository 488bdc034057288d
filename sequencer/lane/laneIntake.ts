import type { Logger } from '../../runtime/log.ts'
import type { RulesView } from '../rulesView.ts'
import type { SequenceStage } from '../sequence/stage.ts'
import type { Submission, SubmissionAnswer } from '../submission.ts'
import type { Verifier } from '../verify/verifier.ts'

export interface LaneIntakeParts {
  readonly lane: number
  readonly stage: SequenceStage
  readonly verifier: Verifier
  readonly view: RulesView
  /** Taken in and not yet durable. */
  readonly maxQueuedRows: number
  readonly log: Logger
}

/** A lane's way from a submission to its durable answer: a place in the order first, then signatures, then the writer. */
export class LaneIntake {
  readonly #parts: LaneIntakeParts

  constructor(parts: LaneIntakeParts) {
    this.#parts = parts
  }

  async submit({ rows, count }: Pick<Submission, 'rows' | 'count'>): Promise<SubmissionAnswer> {
    const { lane, stage, verifier, view, maxQueuedRows, log } = this.#parts
    const refusal = stage.refusal()
    const asOf = stage.asOfNow()
    if (refusal !== undefined || asOf === undefined) {
      return { refusal: refusal ?? { code: 'NOT_ACCEPTING', message: 'the lane is starting', retryAfterMs: 1_000 } }
    }
    if (verifier.freeRows < count || stage.queuedRows + count > maxQueuedRows) {
      return { refusal: { code: 'OVERLOADED', message: 'more records are waiting than fit', retryAfterMs: 100 } }
    }
    const work = stage.enqueue(rows, count)
    verifier
      .verify({ lane, rows, count, rules: view.rules, asOf, verdicts: work.verdicts })
      .then(work.verified, (error: unknown) => {
        log.error({ err: error, lane }, 'signatures could not be verified')
        work.abandon({ code: 'OVERLOADED', message: 'signatures could not be verified', retryAfterMs: 1_000 })
      })
    return await work.answer
  }
}
