import type { AnsweredRecord } from '../../client/recordClient.ts'
import type { StoreOp } from '../store/edgeStore.ts'

/** A signed record that waits for its receipt. */
export interface OutboxRow {
  readonly lane: number
  /** record 24 ‖ signature 64 */
  readonly row: Uint8Array
}

/** What became of a row, told once it is on disk. `answer.receipt` is checked and there when the record was accepted. */
export interface AnsweredRow extends OutboxRow {
  readonly answer: AnsweredRecord
}

/**
 * Signed records on disk, in the order of each EVSE's spans, from the moment they are signed until the sequencer's receipt has been checked.
 * A byte-identical record that is in the box already is not put in again.
 */
export interface Outbox {
  /**
   * Rows and the caller's own `also` in one write.
   * @throws BackfeedError OUTBOX_FULL: as much unacknowledged as the configuration allows, nothing was written; STORE_FAILED
   */
  put(rows: readonly OutboxRow[], also?: readonly StoreOp[]): Promise<void>
  /** Called for every row that was finally answered; a listener that throws is logged. Returns the way to stop listening. */
  onAnswered(listener: (row: AnsweredRow) => void): () => void
}
