import type { DerivedBatch } from '../../l1/derive/laneHistory.ts'

/** A batch that a receiver was told is posted: on L1 in another block, or under another header, it is another. */
export interface Told {
  readonly headerHash: string
  readonly blockHash: string
}

/** How far a receiver was told of a lane. */
export interface BatchCursor {
  /** Newest batch told as final; those behind it up to `posted` are told as posted. */
  readonly final: number
  readonly posted: number
  /** Of the newest told as posted; undefined when all told are final. */
  readonly newest: Told | undefined
}

/** A lane as it is. */
export interface LaneOnL1 {
  /** Newest of our batches on L1, and newest past its window. */
  readonly posted: number
  readonly final: number
  /** What L1 holds under an index, whoever posted it. */
  readonly batch: (index: number) => DerivedBatch | undefined
}

export type Telling = { readonly kind: 'POSTED' | 'FINAL' | 'REVERTED'; readonly index: number }

/**
 * What to tell next, so that at any moment the receiver's picture is that of some moment of the lane. Reverts come newest first. A batch names its
 * parent and its block the one before, so the newest stands for all below it.
 */
export function nextTelling({ final, posted, newest }: BatchCursor, l1: LaneOnL1): Telling | undefined {
  if (newest !== undefined && !isSame(newest, l1.batch(posted))) return { kind: 'REVERTED', index: posted }
  if (final < Math.min(posted, l1.final)) return { kind: 'FINAL', index: final + 1 }
  if (posted < l1.posted) return { kind: 'POSTED', index: posted + 1 }
  return undefined
}

function isSame({ headerHash, blockHash }: Told, held: DerivedBatch | undefined): boolean {
  return held?.headerHash === headerHash && held.place.blockHash === blockHash
}
