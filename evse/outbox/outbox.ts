import type { AnsweredRecord } from '../../client/recordClient.ts'
import type { ResultCode } from '../../protocol/wire.ts'
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

/** An answered row as it is kept. */
export interface KeptRow extends AnsweredRow {
  readonly answeredAtMs: number
}

/** A row that has no final answer yet. */
export interface WaitingRow extends OutboxRow {
  readonly putAtMs: number
  /** The first answer that time may heal, and when it came. */
  readonly held: { readonly code: ResultCode; readonly sinceMs: number } | undefined
}

/** Whose rows are sent one after another. */
export interface RowQueue {
  readonly lane: number
  /** Lane slot of the EVSE. */
  readonly evse: number
}

/**
 * Signed records on disk, in the order of each EVSE's spans, from the moment they are signed until the sequencer's receipt has been checked.
 * A byte-identical record that is in the box already, waiting or answered, is not put in again.
 */
export interface Outbox {
  /**
   * Rows and the caller's own `also` in one write.
   * @throws BackfeedError OUTBOX_FULL: as much unacknowledged as the configuration allows, nothing was written; STORE_FAILED; RangeError for what is no row
   */
  put(rows: readonly OutboxRow[], also?: readonly StoreOp[]): Promise<void>
  /** Called for every row that was finally answered; a listener that throws is logged. Returns the way to stop listening. */
  onAnswered(listener: (row: AnsweredRow) => void): () => void
  /** What is known of a record (24 bytes, or its row): a redelivered one may have its receipt already. Undefined: never here, or dropped since. */
  find(lane: number, record: Uint8Array): Promise<'WAITING' | KeptRow | undefined>
}

/** The side of whoever delivers. */
export interface Deliverable {
  /** Queues with waiting rows, and how many. */
  waiting(): readonly (RowQueue & { readonly rows: number })[]
  /** The queue's first rows. */
  page(queue: RowQueue, limit: number): Promise<WaitingRow[]>
  /** Final answers: durable when it resolves, then told to listeners. Rows that are not waiting (any more) are left out. */
  answer(rows: readonly AnsweredRow[]): Promise<void>
  /** Keeps since when rows are held back; rows that are held already stay as they are. */
  hold(rows: readonly WaitingRow[], code: ResultCode): Promise<void>
  /** Called after rows were put in. Returns the way to stop listening. */
  onPut(listener: (queue: RowQueue) => void): () => void
}
