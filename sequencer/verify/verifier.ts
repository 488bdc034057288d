import type { LaneRules } from '../../protocol/laneRules.ts'

/** What became of a row's signature. UNKNOWN_EVSE and EMPTY rows were not worth verifying (check 1 comes first). */
export const Verdict = { BAD: 0, GOOD: 1, UNKNOWN_EVSE: 2, EMPTY: 3 } as const

export interface VerifyJob {
  readonly lane: number
  /** `count` × signed record. Must not change until the job is done. */
  readonly rows: Uint8Array
  readonly count: number
  readonly rules: LaneRules
  /** As of when an EVSE must be known, seconds. */
  readonly asOf: number
  /** `count` verdicts, written before the promise resolves. */
  readonly verdicts: Uint8Array
}

/** One engine for each signature scheme, or a faster one for the same. */
export interface Verifier {
  /** Rows that could be taken now without waiting. */
  readonly freeRows: number
  /** Rejects only for a fault of the engine. Jobs may finish in another order than they came. */
  verify(job: VerifyJob): Promise<void>
  close(): Promise<void>
}
