import { FRAUD_COMMIT_MAX_AGE_SECONDS, WINDOW_SECONDS } from '../../protocol/limits.ts'

/** A proof must be in a block before its commitment is a day old: it is not begun on one that is nearly so. */
const COMMITMENT_RESERVE_SECONDS = 3_600

/** What L1 says, at one block, of a batch that was found false. */
export interface FraudSituation {
  /** Newest block. */
  readonly headBlock: bigint
  /** Its time, seconds. */
  readonly headSeconds: number
  /** The batch is on L1's chain of its lane. */
  readonly isLive: boolean
  /** Seconds; of the batch. */
  readonly submittedAt: number
  /** Of our newest salt, whoever sent it to L1. */
  readonly commitment: { readonly block: bigint; readonly seconds: number } | undefined
}

export type Step =
  /** Nothing to do before the next block. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'commit' }
  /** The commitment expires: another one, under a new salt, since L1 takes a commitment once. */
  | { readonly kind: 'recommit' }
  | { readonly kind: 'reveal' }
  /** The batch fell: by our proof, or by somebody else's, or together with one before it. */
  | { readonly kind: 'fallen' }
  /** The window closed on a false batch: it is final now. The loudest of alarms. */
  | { readonly kind: 'tooLate' }

/** The next transaction against a false batch. Pure. */
export function nextStep(situation: FraudSituation): Step {
  if (!situation.isLive) return { kind: 'fallen' }
  if (situation.headSeconds >= situation.submittedAt + WINDOW_SECONDS) return { kind: 'tooLate' }
  const { commitment } = situation
  if (commitment === undefined) return { kind: 'commit' }
  const usableUntil = commitment.seconds + FRAUD_COMMIT_MAX_AGE_SECONDS - COMMITMENT_RESERVE_SECONDS
  if (situation.headSeconds >= usableUntil) return { kind: 'recommit' }
  // The proof cannot come into the commitment's own block, which is at most the head: whatever is sent now lands later.
  return situation.headBlock >= commitment.block ? { kind: 'reveal' } : { kind: 'wait' }
}
