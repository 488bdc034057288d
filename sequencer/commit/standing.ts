import { AS_OF_MAX_AGE_SECONDS, WINDOW_SECONDS } from '../../protocol/limits.ts'
import type { DerivedBatch } from '../../l1/derive/laneHistory.ts'
import { toHex } from '../../l1/bytes.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { spanEnd } from '../forced.ts'

/** How L1's batches of a lane compare with ours. */
export type Standing =
  | { readonly kind: 'agreed'; readonly posted: number }
  /** L1 holds a batch that is not ours, or one that we do not have: `index`. */
  | { readonly kind: 'foreign'; readonly index: number }

export interface StandingInput {
  readonly live: readonly DerivedBatch[]
  /** Batches up to this were found to agree before, in blocks held final. */
  readonly agreedBefore: number
  readonly ours: (index: number) => ClosedBatch | undefined
}

/** By what headers tell: a batch that passes may still hold other records (`isOurs`). */
export function compareWithL1(input: StandingInput): Standing {
  const { live, agreedBefore, ours } = input
  for (let index = agreedBefore + 1; index <= live.length; index++) {
    const batch = ours(index)
    const theirs = live[index - 1]!
    // Contents, not what was once prepared: a batch dated anew is no longer what an older transaction of ours may still bring there.
    if (batch === undefined || !holdsSame(batch, theirs)) return { kind: 'foreign', index }
  }
  return { kind: 'agreed', posted: live.length }
}

/** Settled as of the same moment to the same state: a header of ours may differ in the block that it pins. */
export function holdsSame(batch: ClosedBatch, { header }: Pick<DerivedBatch, 'header'>): boolean {
  return (
    header.asOf === batch.asOf &&
    header.postRoot === toHex(batch.postRoot) &&
    header.chunkCount === batch.chunkCount &&
    header.forcedEndHash === spanEnd(batch.forced).endWord
  )
}

export type Step =
  | { readonly kind: 'nothing' }
  /** L1's clock has not passed the batch's asOf. */
  | { readonly kind: 'wait' }
  | { readonly kind: 'post'; readonly batch: ClosedBatch }
  | { readonly kind: 'redate'; readonly batch: ClosedBatch }

/** What to do about the first batch that L1 does not hold. */
export function nextStep(input: {
  next: ClosedBatch | undefined
  /** Time of L1's head, seconds. */
  l1Time: number
  /** How long before L1 would refuse a batch it is dated anew instead. */
  redateMarginSeconds: number
}): Step {
  const { next, l1Time, redateMarginSeconds } = input
  if (next === undefined) return { kind: 'nothing' }
  if (l1Time + redateMarginSeconds > next.asOf + AS_OF_MAX_AGE_SECONDS) return { kind: 'redate', batch: next }
  return l1Time <= next.asOf ? { kind: 'wait' } : { kind: 'post', batch: next }
}

/** Forced chunks and nothing else: what anybody bonded may post when the operator does not (docs/protocol.md §10). */
export function isForcedOnly({ header }: DerivedBatch): boolean {
  return header.forcedChunks > 0 && header.forcedChunks === header.chunkCount
}

/** Past its challenge window in L1's final state: nothing can take it back. */
export function isFinal(batch: DerivedBatch, final: { number: bigint; timestamp: number }): boolean {
  return batch.place.blockNumber <= final.number && final.timestamp >= batch.submittedAt + WINDOW_SECONDS
}
