import type { Address, Hex } from 'viem'
import type { BatchHeader } from '../protocol/batchHeader.ts'
import type { ReceiptFile } from '../protocol/receiptJson.ts'
import type { DischargeRecord } from '../protocol/record.ts'
import type { ResultCode } from '../protocol/wire.ts'

/**
 * What the query API reads of the pipeline. Everything is answered from memory or the local store, never by asking L1, because
 * anybody may ask often. Answers are snapshots: nothing in them changes after they were given.
 */
export interface LaneQueries {
  /** What keeps the sequencer from doing its work; empty when all is well. Called for every health probe: keep it cheap. */
  problems(): readonly HealthProblem[]

  /** Ids of the lanes served, ascending. */
  lanes(): readonly number[]

  /** Undefined: not a lane of this sequencer. */
  lane(lane: number): LaneStatus | undefined

  /** Closed batches with index ≥ `from`, ascending, at most `limit` (1 … 256). The lane is one of `lanes()`. */
  batches(query: { lane: number; from: number; limit: number }): Promise<readonly BatchStatus[]>

  /** A closed batch. The lane is one of `lanes()`. */
  batch(lane: number, index: number): Promise<BatchStatus | undefined>

  /** The record that was accepted for this EVSE (lane slot) and first interval. The lane is one of `lanes()`. */
  record(query: { lane: number; evse: number; start: number }): Promise<RecordLife | undefined>

  /** Entries of the lane's forced queue with index ≥ `from`, ascending, at most `limit` (1 … 256). The lane is one of `lanes()`. */
  forced(query: { lane: number; from: number; limit: number }): Promise<readonly ForcedLife[]>

  /** The receipt of the record at a position; undefined where none was accepted or promised. The lane is one of `lanes()`. */
  receipt(lane: number, position: number): Promise<ReceiptFile | undefined>

  /** Undefined: the slot is empty. The lane is one of `lanes()`. */
  contract(lane: number, slot: number): Promise<ContractCredit | undefined>

  /**
   * Whether the EVSE is registered and ended before `endSeconds` (Unix), the end of a record that came to UNKNOWN_EVSE: the API then
   * says ERR_AUTH_EXPIRED (docs/protocol.md §5, check 1). Called for rejected records only.
   */
  evseEndedBefore(query: { lane: number; evse: number; endSeconds: number }): boolean
}

export interface HealthProblem {
  /** Stable, such as L1_BEHIND, JOURNAL_FAULT, BALANCE_LOW. */
  readonly code: string
  readonly message: string
}

export interface LaneStatus {
  readonly lane: number
  readonly zone: number
  readonly scheme: number
  readonly operator: Address
  /** Whether records are taken in at the moment. */
  readonly accepting: boolean
  /** Records taken into the lane's order: the lane leaf's position (docs/protocol.md §6). */
  readonly accepted: number
  /** Of these, the ones that settled. */
  readonly settled: number
  readonly energyWh: number
  readonly spentMicro: bigint
  /** Funded at `openBatch.asOf`. */
  readonly fundedMicro: bigint
  /** Newest L1 block that the lane's rules include. */
  readonly l1: { readonly block: number; readonly seconds: number }
  /** Entries of the forced queue: held final on L1, and taken into batches. */
  readonly forced: { readonly queued: number; readonly taken: number }
  readonly openBatch: OpenBatch
  /** Index of the newest batch that is closed, on L1, final; 0 is the lane's opening. final ≤ posted ≤ closed < open. */
  readonly closedIndex: number
  readonly postedIndex: number
  readonly finalIndex: number
}

export interface OpenBatch {
  readonly index: number
  /** Seconds. */
  readonly asOf: number
  readonly records: number
  readonly openedAtMs: number
}

/**
 * closed: contents and header settled, not yet with L1. sent: its transaction waits. posted: in an L1 block, still inside the
 * challenge window (or a reorganisation may take it back, it is then sent again). final: past the window (docs/protocol.md §8).
 */
export type BatchStage = 'closed' | 'sent' | 'posted' | 'final'

export interface BatchStatus {
  readonly header: BatchHeader
  readonly headerHash: Hex
  readonly stage: BatchStage
  /** Non-empty records outside forced chunks; they have positions [firstPosition, firstPosition + records). */
  readonly records: number
  readonly firstPosition: number
  readonly closedAtMs: number
  /** From stage `sent` on. */
  readonly transaction?: BatchTransaction
}

export interface BatchTransaction {
  readonly hash: Hex
  /** From stage `posted` on. */
  readonly mined?: {
    readonly block: number
    readonly blockHash: Hex
    /** Time of that block: the ring word's submittedAt. */
    readonly seconds: number
    /** When the window ends. */
    readonly finalAtSeconds: number
  }
}

/** received → sequenced → batch closed → sent → posted → final. */
export interface RecordLife {
  readonly record: DischargeRecord
  readonly signature: Hex
  readonly position: number
  readonly receivedAtMs: number
  /** `open`: durable and promised, in the batch that is still open. */
  readonly stage: 'open' | BatchStage
  readonly outcome: ResultCode
  readonly amountMicro: number
  /** The batch that holds it, or will. */
  readonly batchIndex: number
  /** Once the batch is closed. `slot`: its place in the chunk. */
  readonly place?: { readonly headerHash: Hex; readonly chunk: number; readonly slot: number }
  readonly transaction?: BatchTransaction
}

/** A record that was queued on L1 (docs/protocol.md §10). It has no position. */
export interface ForcedLife {
  /** In the lane's queue, from 0. */
  readonly index: number
  readonly record: DischargeRecord
  /** Seconds, of its block. */
  readonly queuedAt: number
  /** `waiting`: for the next batch. */
  readonly stage: 'waiting' | 'open' | BatchStage
  /** Once a batch has taken it. */
  readonly outcome?: ResultCode
  readonly amountMicro?: number
  readonly batchIndex?: number
}

export interface Credit {
  /** Cumulative: withdrawals do not lower it. */
  readonly creditedMicro: bigint
  readonly energyWh: number
  readonly count: number
}

export interface ContractCredit {
  readonly lane: number
  readonly slot: number
  /** Token id of the vehicle. */
  readonly vehicle: bigint
  readonly now: Credit
  /** In the newest final batch, which is what can be withdrawn against. Absent before the first final batch. */
  readonly final?: Credit & WithdrawalClaim
}

/** The arguments of `Vault.withdraw` (docs/protocol.md §9): header, root parts and claim. */
export interface WithdrawalClaim {
  readonly header: BatchHeader
  readonly headerHash: Hex
  readonly evseRoot: Hex
  /** H(laneLeaf, 0). */
  readonly laneHash: Hex
  /** 77 bytes. */
  readonly descriptor: Hex
  readonly leaf: Hex
  /** 20 siblings, leaves first. */
  readonly path: readonly Hex[]
}
