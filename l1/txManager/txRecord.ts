import type { Address, Hex } from 'viem'
import type { BlobSidecar } from '../blobTransaction.ts'
import type { Fees, TxKind } from './feeRules.ts'

interface CommonRequest {
  /** The caller's own name of this intention, unique for ever: sending the same id again, also after a restart, sends nothing new. */
  id: string
  /** What it is, for logs and metrics: `submitBatch`. */
  label: string
  to: Address
  data: Hex
  value?: bigint
  /**
   * Given: the gas it takes, and no simulation. For a transaction that would revert now because it builds on one of ours that
   * is still under way.
   */
  gas?: bigint
  /** State to simulate on. Default `latest`. */
  simulateOn?: 'latest' | 'pending'
}
export type TxRequest = (CommonRequest & { kind: 'plain' }) | (CommonRequest & { kind: 'blob'; sidecar: BlobSidecar })

/** One signed form of a transaction. It can be signed again from these: signatures are deterministic. */
export interface Attempt {
  readonly hash: Hex
  readonly nonce: number
  readonly purpose: 'request' | 'cancel'
  readonly fees: Fees
  /** Milliseconds since the epoch. */
  readonly sentAtMs: number
}

export interface Inclusion {
  readonly hash: Hex
  readonly blockNumber: bigint
  readonly blockHash: Hex
  readonly succeeded: boolean
}

export type TxStatus =
  | { readonly kind: 'pending' }
  | { readonly kind: 'mined'; readonly inclusion: Inclusion }
  | { readonly kind: 'final'; readonly inclusion: Inclusion }

/** What is kept on disk of a transaction, from before its first broadcast until long after it is final. */
export interface TxRecord {
  readonly id: string
  readonly label: string
  readonly kind: TxKind
  readonly to: Address
  /** Empty once it is final and did not revert: nobody asks again what it said, and a batch's calldata is large. */
  readonly data: Hex
  readonly value: bigint
  readonly gas: bigint
  readonly createdAtMs: number
  readonly nonce: number
  readonly cancelled: boolean
  readonly status: TxStatus
  /** Oldest first; also those of earlier nonces, since a reorganisation may still mine one. */
  readonly attempts: readonly Attempt[]
}

/** The newest attempt that holds the record's nonce. */
export function currentAttempt(record: TxRecord): Attempt | undefined {
  return record.attempts.findLast((attempt) => attempt.nonce === record.nonce)
}

/** The record without what no question about it needs any more. Why one reverted is found by running it again, also later. */
export function withoutNeedlessData(record: TxRecord): TxRecord {
  const isDone = record.status.kind === 'final' && record.status.inclusion.succeeded
  return isDone && record.data !== '0x' ? { ...record, data: '0x' } : record
}
