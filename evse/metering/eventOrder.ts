import type { CutRules } from './config.ts'
import { isOver } from './foldEvent.ts'
import type { MeterEvent } from './meterEvent.ts'
import type { MeterState } from './meterState.ts'

/** Why later messages wait: one is missing, an end is missing, or the register rose in a transaction that is not known yet. */
export type HeldBecause = 'SEQUENCE_GAP' | 'END_MISSING' | 'TRANSACTION_MISSING'

export type Next =
  | { readonly event: MeterEvent; readonly waitsFor: undefined }
  | { readonly event: MeterEvent; readonly waitsFor: HeldBecause }

/** By the device's clock; messages of one moment by their number. */
export function inOrder(a: MeterEvent, b: MeterEvent): number {
  return a.atMs - b.atMs || a.seqNo - b.seqNo
}

/**
 * Which of the messages at hand (in order) comes next, and whether anything is known to be missing before it.
 * OCPP counts a transaction's messages from 0 (2.0.1, TransactionEventRequest.seqNo); some stations begin again at a boot.
 */
export function nextEvent(held: readonly MeterEvent[], state: MeterState, rules: CutRules): Next | undefined {
  if (held.length === 0) return undefined
  const current = state.transaction
  const over = held.find((event) => {
    if (event.transaction === current?.id) return false
    return isOver(
      event,
      state.past.find(({ id }) => id === event.transaction),
      state,
    )
  })
  if (over !== undefined) return { event: over, waitsFor: undefined }

  if (current !== undefined) {
    const own = held.filter((event) => event.transaction === current.id)
    const following = own.find((event) => event.seqNo === current.lastSeqNo + 1)
    const first = own[0]
    if (first === undefined) {
      return { event: held[0]!, waitsFor: current.end === 'IDLE' ? undefined : 'END_MISSING' }
    }
    const isNext = follows(first, current) || first.atMs < current.lastEventMs
    if (isNext) return { event: first, waitsFor: missingBefore(first, state, rules) }
    // A clock that was set back a little between two messages.
    if (following !== undefined && following.atMs - first.atMs < CLOCK_STEP_MS) {
      return { event: following, waitsFor: missingBefore(following, state, rules) }
    }
    return { event: first, waitsFor: 'SEQUENCE_GAP' }
  }
  const first = held[0]!
  if (first.kind !== 'STARTED' && first.seqNo !== 0) return { event: first, waitsFor: 'SEQUENCE_GAP' }
  return { event: first, waitsFor: missingBefore(first, state, rules) }
}

/** Between two messages of which the later one has the smaller time. */
const CLOCK_STEP_MS = 60_000

function follows(event: MeterEvent, current: { lastSeqNo: number }): boolean {
  return event.seqNo === current.lastSeqNo + 1 || event.seqNo === current.lastSeqNo || event.seqNo === 0
}

/** A transaction's first reading above the last one known: another transaction may still lie in the device's queue. */
function missingBefore(event: MeterEvent, state: MeterState, rules: CutRules): HeldBecause | undefined {
  if (state.register === undefined || rules.registerScope === 'transaction') return undefined
  if (state.transaction?.id === event.transaction && state.transaction.baseMilliWh !== undefined) return undefined
  const first = event.samples
    .filter(({ exportMilliWh }) => exportMilliWh !== undefined)
    .reduce((min, { exportMilliWh }) => Math.min(min, exportMilliWh! + state.offsetMilliWh), Number.POSITIVE_INFINITY)
  const roseMilliWh = first - state.register.milliWh
  const isUnaccounted = roseMilliWh !== Number.POSITIVE_INFINITY && roseMilliWh > (rules.meterResolutionWh + 1) * 1_000
  return isUnaccounted ? 'TRANSACTION_MISSING' : undefined
}
