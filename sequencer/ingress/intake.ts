import { RESULT_BYTES, type ResultCode, resultName } from '../../protocol/wire.ts'
import type { SchemeLayout } from '../../protocol/scheme.ts'
import type { Logger } from '../../runtime/log.ts'
import { INGRESS_RETRY_AFTER_MS } from '../limits.ts'
import type { RecordSink, Submission, SubmissionAnswer } from '../submission.ts'
import type { Admission, Ticket } from './admission.ts'
import type { IngressMetrics, Transport } from './metrics.ts'

export interface IntakeParts {
  sink: RecordSink
  admission: Admission
  metrics: IngressMetrics
  log: Logger
}

export interface IntakeRefusal {
  readonly code: 'OVERLOADED' | 'PEER_LIMIT'
  readonly message: string
  readonly retryAfterMs: number
}

export type Admitted = { readonly ticket: Ticket } | { readonly ticket?: never; readonly refusal: IntakeRefusal }

/** The way into the pipeline, the same for every transport: admission, submission, counting. */
export class Intake {
  readonly metrics: IngressMetrics
  readonly #parts: IntakeParts

  constructor(parts: IntakeParts) {
    this.metrics = parts.metrics
    this.#parts = parts
  }

  admit(transport: Transport, peer: string, records: number, { scheme }: SchemeLayout): Admitted {
    const entered = this.#parts.admission.enter(peer, records, scheme)
    if (typeof entered !== 'string') return { ticket: entered }
    this.metrics.refused(transport, entered)
    const message =
      entered === 'OVERLOADED' ? 'too many records are waiting' : 'too many records of this sender are waiting'
    return { refusal: { code: entered, message, retryAfterMs: INGRESS_RETRY_AFTER_MS } }
  }

  /** How a lane's rows are laid out; undefined for a lane that is not served here. */
  layoutOf(lane: number): SchemeLayout | undefined {
    return this.#parts.sink.layoutOf(lane)
  }

  /** Never rejects. The ticket is given back when the pipeline has answered, whether or not anybody still waits for it. */
  async submit(transport: Transport, ticket: Ticket, submission: Submission): Promise<SubmissionAnswer> {
    const { metrics, sink, log } = this.#parts
    metrics.requests(transport, submission.rows.length)
    const began = performance.now()
    try {
      const answer = await sink.submit(submission)
      metrics.answered(transport, (performance.now() - began) / 1_000)
      if (answer.refusal !== undefined) {
        metrics.refused(transport, answer.refusal.code)
        return answer
      }
      if (answer.results.length !== submission.count * RESULT_BYTES) {
        throw new Error(`${answer.results.length} bytes of results for ${submission.count} records`)
      }
      countResults(metrics, transport, answer.results)
      return answer
    } catch (error) {
      // Whether the records were taken in is unknown; sending them again is safe, they would be duplicates.
      log.error({ err: error, lane: submission.lane, count: submission.count }, 'the pipeline failed on a submission')
      metrics.refused(transport, 'FAULT')
      const message = 'the sequencer has a fault; send the records again later'
      return { refusal: { code: 'NOT_ACCEPTING', message, retryAfterMs: INGRESS_RETRY_AFTER_MS } }
    } finally {
      ticket.leave()
    }
  }
}

function countResults(metrics: IngressMetrics, transport: Transport, results: Uint8Array): void {
  const counts = new Map<number, number>()
  for (let at = 0; at < results.length; at += RESULT_BYTES) {
    counts.set(results[at]!, (counts.get(results[at]!) ?? 0) + 1)
  }
  for (const [code, count] of counts) metrics.records(transport, resultName(code as ResultCode), count)
}
