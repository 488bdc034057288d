import type { Hex } from 'viem'
import type { FeeMarket } from '../fees.ts'
import { type FeePolicy, type Fees, openingFees, replacementFees } from './feeRules.ts'
import { currentAttempt, type Inclusion, type TxRecord } from './txRecord.ts'

/** L1 as one look saw it. */
export interface ChainView {
  nowMs: number
  headNumber: bigint
  finalNumber: bigint
  /** Of the account, in the state of the head. */
  accountNonce: number
  market: FeeMarket
  /** By hash, of attempts that are in a block. */
  inclusions: ReadonlyMap<Hex, Inclusion>
}

/** What this process knows of a transaction besides its record; lost, and not missed, in a restart. */
export interface Watch {
  lastBroadcastMs: number
  /** The pool wants a higher offer. */
  underpriced: boolean
  /** Head at which the nonce was first seen used by something that is not ours. */
  nonceTakenAt: bigint | undefined
  /** The offer whose successor a cap forbids, once that has been reported. */
  cappedHash: Hex | undefined
}

export function newWatch(): Watch {
  return { lastBroadcastMs: 0, underpriced: false, nonceTakenAt: undefined, cappedHash: undefined }
}

export interface DecisionPolicy {
  fees: FeePolicy
  /** An offer that is next in line and still not mined after this long is replaced. */
  stuckMs: number
  rebroadcastMs: number
  /** Blocks for which a nonce must stay taken before the transaction gets a new one: a receipt may lag, or the taker be reorganised away. */
  foreignNonceBlocks: bigint
}

export type Action =
  | { kind: 'wait' }
  | { kind: 'mined'; inclusion: Inclusion }
  | { kind: 'final'; inclusion: Inclusion }
  | { kind: 'reorged' }
  | { kind: 'nonceTaken' }
  | { kind: 'reassign' }
  | { kind: 'send'; fees: Fees; purpose: 'request' | 'cancel' }
  | { kind: 'rebroadcast' }
  /** The next offer would pass a cap. */
  | { kind: 'capped' }

/** The one next thing to do about a transaction. Pure: no clock, no I/O. */
export function decide(record: TxRecord, watch: Watch, view: ChainView, policy: DecisionPolicy): Action {
  const inclusion = findInclusion(record, view)
  if (inclusion !== undefined) return decideMined(record, inclusion, view)
  if (record.status.kind === 'mined') return { kind: 'reorged' }
  if (record.status.kind === 'final') return { kind: 'wait' }
  if (view.accountNonce > record.nonce) return decideNonceTaken(watch, view, policy)
  return decidePending(record, watch, view, policy)
}

function findInclusion(record: TxRecord, view: ChainView): Inclusion | undefined {
  for (const attempt of record.attempts) {
    const inclusion = view.inclusions.get(attempt.hash)
    if (inclusion !== undefined) return inclusion
  }
  return undefined
}

function decideMined(record: TxRecord, inclusion: Inclusion, view: ChainView): Action {
  const { status } = record
  if (status.kind === 'final') return { kind: 'wait' }
  const known =
    status.kind === 'mined' &&
    status.inclusion.hash === inclusion.hash &&
    status.inclusion.blockHash === inclusion.blockHash
  if (!known) return { kind: 'mined', inclusion }
  return inclusion.blockNumber <= view.finalNumber ? { kind: 'final', inclusion } : { kind: 'wait' }
}

function decideNonceTaken(watch: Watch, view: ChainView, policy: DecisionPolicy): Action {
  if (watch.nonceTakenAt === undefined || watch.nonceTakenAt > view.headNumber) return { kind: 'nonceTaken' }
  return view.headNumber - watch.nonceTakenAt >= policy.foreignNonceBlocks ? { kind: 'reassign' } : { kind: 'wait' }
}

function decidePending(record: TxRecord, watch: Watch, view: ChainView, policy: DecisionPolicy): Action {
  const purpose = record.cancelled ? 'cancel' : 'request'
  const last = currentAttempt(record)
  if (last === undefined) return { kind: 'send', fees: openingFees(view.market, record.kind, policy.fees), purpose }
  // Behind another of ours, a higher offer buys nothing.
  const isNext = record.nonce === view.accountNonce
  const isStuck = isNext && view.nowMs - last.sentAtMs >= policy.stuckMs
  const isWrongPurpose = last.purpose !== purpose
  const isRebroadcastDue = view.nowMs - watch.lastBroadcastMs >= policy.rebroadcastMs
  if (isStuck || watch.underpriced || isWrongPurpose) {
    const fees = replacementFees(last.fees, view.market, record.kind, policy.fees)
    if (fees !== undefined) return { kind: 'send', fees, purpose }
    return isRebroadcastDue ? { kind: 'rebroadcast' } : { kind: 'capped' }
  }
  return isRebroadcastDue ? { kind: 'rebroadcast' } : { kind: 'wait' }
}
