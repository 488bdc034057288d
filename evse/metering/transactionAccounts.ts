import type { StoreOp } from '../store/edgeStore.ts'
import type { Draft, RecordDraft, WithheldDraft } from './draft.ts'
import { findTransaction, type MeterState, type Transaction } from './meterState.ts'

/** A part of the write that makes true what it tells of. `done`: to be called once it is durable. */
export interface AccountEntry {
  readonly ops: readonly StoreOp[]
  readonly done: () => void
}

export interface SignedDraft {
  readonly draft: RecordDraft
  readonly lane: number
  /** record 24 ‖ signature 64 */
  readonly row: Uint8Array
}

/** Who keeps an account of each transaction, what became of its energy. Never waits. */
export interface TransactionAccounts {
  ended(evse: string, transactions: readonly Transaction[]): AccountEntry
  signed(evse: string, drafts: readonly SignedDraft[]): AccountEntry
  withheld(evse: string, draft: WithheldDraft): AccountEntry
}

/** Transactions that a step ended. One that goes on after another interrupted it ends again, with a beginning of its own. */
export function endedBy(before: MeterState, after: MeterState): Transaction[] {
  if (before.past === after.past) return []
  return after.past.filter(
    ({ id, end, startMs }) =>
      (end === 'ENDED' || end === 'ABANDONED') &&
      !before.past.some((past) => past.id === id && past.end === end && past.startMs === startMs),
  )
}

/** The one that is open, and those whose energy is neither signed nor put aside. */
export function transactionsUnderWay(state: MeterState, drafts: readonly Draft[]): Transaction[] {
  const ids = new Set([state.transaction?.id, ...drafts.map(({ transaction }) => transaction)])
  return [...ids].flatMap((id) => (id === undefined ? [] : (findTransaction(state, id) ?? [])))
}
