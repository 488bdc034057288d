import type { AttestStatus } from './attest/attestStatus.ts'
import type { ReplayTotals } from './replay/replayMetrics.ts'
import type { CaseTotals } from './respond/caseDesk.ts'

export interface ProverProblem {
  /** Stable: DATA_MISSING, LANE_DISAGREES, FALSE_BATCH, FALSE_BATCH_FINAL, L1_UNREACHABLE, ATTEST_CONFLICT, or the code of another fault. */
  readonly code: string
  readonly message: string
  readonly lane?: number
}

export interface LaneCheckStatus {
  readonly lane: number
  /** L1 block up to which everything was checked; −1: none. */
  readonly checkedUpTo: bigint
  /** Newest batch that is right. */
  readonly checkedIndex: bigint
  /** Newest batch on L1, as far as it is followed. */
  readonly liveIndex: bigint
  readonly falseBatch?: { readonly index: bigint; readonly chunk: number }
}

export interface ProverStatus {
  readonly lanes: readonly LaneCheckStatus[]
  readonly checked: ReplayTotals
  readonly frauds: CaseTotals
  /** Absent when batches are not signed. */
  readonly attesting?: AttestStatus
  readonly problems: readonly ProverProblem[]
}
