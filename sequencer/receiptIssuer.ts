import type { RangeReceipt } from '../protocol/receipt.ts'
import type { RecordsEntry } from './store/entry.ts'

/** What one journal write made durable. */
export interface DurableRows {
  readonly firstPosition: number
  readonly entries: readonly RecordsEntry[]
  /** Journal sequences among which these entries are, and no other records. */
  readonly firstSequence: number
  readonly lastSequence: number
}

/** What the writer of a lane needs of receipts (docs/protocol.md §13). */
export interface ReceiptIssuer {
  /** Signs durable rows, handed over in the order of their positions; resolves when that is done. Rejects when nothing can be signed any more. */
  sign(rows: DurableRows): Promise<void>
  /** For accepted records and duplicates among `results`, what a receipt is held of: at most MAX_ANSWER_RECEIPTS, by rising positions. */
  receiptsOf(results: Uint8Array): Promise<readonly RangeReceipt[]>
}
