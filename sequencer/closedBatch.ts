/** A batch whose records are decided. What it holds lies in the journal; this is what posting and queries need beside. */
export interface ClosedBatch {
  readonly lane: number
  readonly index: number
  /** Seconds. */
  readonly asOf: number
  /** Root before each chunk, 31 bytes; empty once the batch is final. */
  readonly preRoots: readonly Uint8Array[]
  readonly postRoot: Uint8Array
  readonly rowCount: number
  /** Position of the lane's next record when the batch was opened. */
  readonly firstPosition: number
  /** Its entries in the journal, other batches' between them excluded. */
  readonly firstSequence: number
  readonly lastSequence: number
  readonly closedAtMs: number
}
