import type { TransactionReceipt } from 'viem'
import type { Logger } from '../../runtime/log.ts'
import { type Metrics, SECONDS_BUCKETS } from '../../runtime/metrics.ts'
import type { Attempt, TxRecord } from './txRecord.ts'

export type TxEvent =
  | { kind: 'sent'; record: TxRecord; attempt: Attempt }
  | { kind: 'replaced'; record: TxRecord; attempt: Attempt }
  | { kind: 'mined'; record: TxRecord; receipt: TransactionReceipt }
  | { kind: 'reorged'; record: TxRecord }
  /** Something that is not ours used the nonce: the transaction goes again under a new one. */
  | { kind: 'reassigned'; record: TxRecord; previousNonce: number }
  | { kind: 'final'; record: TxRecord; receipt: TransactionReceipt }
  /** L1 will never take it; it is forgotten. */
  | { kind: 'refused'; record: TxRecord; error: unknown }
  | { kind: 'capped'; record: TxRecord }

const WARNINGS: ReadonlySet<TxEvent['kind']> = new Set(['reorged', 'reassigned', 'capped', 'refused'])

export interface TxReporter {
  event(event: TxEvent): void
  look(seen: { balanceWei: bigint; pending: number; queued: number }): void
}

/** Metrics and log lines of one account. */
export function txReporter(input: { log: Logger; metrics?: Metrics | undefined; lowBalanceWei: bigint }): TxReporter {
  const { log, metrics } = input
  const events = metrics?.counter({
    name: 'tx_events_total',
    help: 'Steps in the life of L1 transactions',
    labels: ['event', 'label'],
  })
  const balance = metrics?.gauge({ name: 'tx_balance_ether', help: 'Balance of the posting account' })
  const low = metrics?.gauge({ name: 'tx_balance_low', help: '1 while the balance is below the alarm level' })
  const pending = metrics?.gauge({ name: 'tx_pending', help: 'Transactions sent and not mined' })
  const queued = metrics?.gauge({ name: 'tx_queued', help: 'Transactions that wait to be sent' })
  const wait = metrics?.histogram({
    name: 'tx_inclusion_seconds',
    help: 'From the first signature to a block',
    buckets: [...SECONDS_BUCKETS, 120, 300, 900, 3600],
  })
  return {
    event: (event) => {
      const { record } = event
      events?.inc({ event: event.kind, label: record.label })
      if (event.kind === 'mined') wait?.observe((Date.now() - record.createdAtMs) / 1000)
      const fields = {
        tx: record.id,
        nonce: record.nonce,
        attempts: record.attempts.length,
        hash: record.attempts.at(-1)?.hash,
        ...(event.kind === 'mined' || event.kind === 'final' ? { block: Number(event.receipt.blockNumber) } : {}),
        ...(event.kind === 'refused' ? { err: event.error } : {}),
      }
      log[WARNINGS.has(event.kind) ? 'warn' : 'info'](fields, `${record.label} ${event.kind}`)
    },
    look: (seen) => {
      balance?.set(Number(seen.balanceWei) / 1e18)
      low?.set(seen.balanceWei < input.lowBalanceWei ? 1 : 0)
      pending?.set(seen.pending)
      queued?.set(seen.queued)
    },
  }
}
