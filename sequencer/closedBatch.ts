import { type LaneLeaf, ROOT_BYTES } from '../protocol/laneState.ts'
import type { SchemeLayout } from '../protocol/scheme.ts'
import type { ForcedSpan } from './forced.ts'

/** A batch whose records are decided. What it holds lies in the journal; this is what posting and queries need beside. */
export interface ClosedBatch {
  readonly lane: number
  /** Of its lane's scheme. */
  readonly layout: SchemeLayout
  readonly index: number
  /** Seconds. */
  readonly asOf: number
  readonly chunkCount: number
  /** Chunks of it that hold what it consumes of the forced queue: its first. */
  readonly forcedChunks: number
  /**
   * Root before each chunk, 31 bytes, one after another. Empty once L1 holds the batch in a final block: it is hardly ever needed then, and can
   * be computed again.
   */
  readonly preRoots: Uint8Array
  readonly postRoot: Uint8Array
  readonly forced: ForcedSpan
  readonly rowCount: number
  /** Position of the lane's next record when the batch was opened. */
  readonly firstPosition: number
  /** Its entries in the journal; no other batch's rows lie between them. */
  readonly firstSequence: number
  readonly lastSequence: number
  readonly closedAtMs: number
  /** Bit a row: what signatures come to, where that is not what the journal says. */
  readonly verdicts: Uint8Array | undefined
  /** The lane's sums at its end. */
  readonly totals: LaneLeaf
}

export function rootAt(roots: Uint8Array, k: number): Uint8Array {
  return roots.subarray(k * ROOT_BYTES, (k + 1) * ROOT_BYTES)
}
