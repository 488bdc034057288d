import type { EvseMeter } from './evseMeter.ts'
import type { MeterProblem } from './meterState.ts'
import type { QueueWait, SigningQueue } from './signingQueue.ts'

/** One EVSE's metering, for people and for health checks. */
export interface EvseMeterStatus {
  readonly evse: string
  /** The open transaction, its contract, and since when (device's clock). */
  readonly transaction:
    | { readonly id: string; readonly contract: number | undefined; readonly startMs: number }
    | undefined
  /** Last reading that counts; the register is carried on over changes of meters. */
  readonly lastSample: { readonly atMs: number; readonly exportMilliWh: number } | undefined
  /** Measured, and neither signed nor put aside yet. */
  readonly pendingWh: number
  /** Put aside, all codes. */
  readonly withheldWh: number
  /** Spans that are finished and not signed, and why the first of them waits. */
  readonly drafts: number
  readonly waitsFor: QueueWait | undefined
  /** Messages that wait for a missing one, and for what. */
  readonly heldEvents: number
  readonly heldBecause: string | undefined
  /** What signing or storing last failed with, while it lasts; then what was flagged, newest last. */
  readonly problems: readonly MeterProblem[]
}

export function meterStatus(evse: string, meter: EvseMeter, queue: SigningQueue, closedWh: number): EvseMeterStatus {
  const { transaction, register, cutWh, problems } = meter.state
  const openWh = register === undefined ? 0 : Math.floor(register.milliWh / 1_000) - cutWh
  const sum = (kind: string): number =>
    queue.drafts.reduce((wh, draft) => wh + (draft.kind === kind ? draft.energyWh : 0), 0)
  const failure = queue.failure
  const failed: MeterProblem[] =
    failure === undefined
      ? []
      : [{ code: failure.code, message: failure.message, transaction: undefined, lastMs: 0, count: 1 }]
  return {
    evse,
    transaction: transaction && { id: transaction.id, contract: transaction.contract, startMs: transaction.startMs },
    lastSample: register && { atMs: register.atMs, exportMilliWh: register.milliWh },
    pendingWh: openWh + sum('RECORD'),
    withheldWh: closedWh + sum('WITHHELD'),
    drafts: queue.drafts.length,
    waitsFor: queue.waitsFor,
    heldEvents: meter.held.length,
    heldBecause: meter.heldBecause,
    problems: [...failed, ...problems],
  }
}
