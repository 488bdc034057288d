import type { Logger } from '../../runtime/log.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import type { ReceiptIssuer } from '../receiptIssuer.ts'
import type { Clock, RulesView } from '../rulesView.ts'
import type { LaneJournal } from '../store/journal.ts'
import type { RecordIndex } from '../store/recordIndex.ts'
import type { LaneBook } from './laneBook.ts'
import type { SequenceMetrics } from './metrics.ts'
import type { SnapshotKeeper } from '../store/snapshotKeeper.ts'

/** What the stage is given. */
export interface SequenceSettings {
  readonly book: LaneBook
  readonly journal: LaneJournal
  readonly index: RecordIndex
  readonly view: RulesView
  readonly clock: Clock
  readonly receipts: ReceiptIssuer
  /** The lane's signing domain. */
  readonly domain: Uint8Array
  readonly openedAsOf: number
  readonly aheadSeconds: number
  /** An open batch is closed at this age, so that a quiet lane is posted too. */
  readonly maxAgeSeconds: number
  /** Rows of one batch: 22 × 64 × blobs, or 64 × 64 × blobs. */
  readonly maxBatchRows: () => number
  /** Rows made durable by one write. */
  readonly maxWriteRows: number
  /** Closed batches that L1 does not hold yet; more, and the lane takes nothing in. */
  readonly maxBacklog: number
  readonly log: Logger
  readonly metrics?: SequenceMetrics | undefined
  /** Where the book is kept now and then, so that a start need not replay everything. */
  readonly snapshots?: SnapshotKeeper | undefined
  /** Told of each closed batch, durable. */
  readonly onClosed: (batch: ClosedBatch) => void
  /** Something that must not happen: the service has to stop. */
  readonly onFault: (error: unknown) => void
}
