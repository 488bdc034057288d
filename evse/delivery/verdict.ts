import {
  INTERVAL_SECONDS,
  MAX_ENERGY_WH,
  MAX_INTERVALS,
  MAX_SOC_DROP,
  PERIOD_INTERVALS,
} from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { decodeRecord } from '../../protocol/record.ts'
import { DUPLICATE } from '../../protocol/wire.ts'
import type { AnsweredRecord } from '../../client/recordClient.ts'
import type { WaitingRow } from '../outbox/outbox.ts'

/** FINAL: nothing more will come. HOLD: time may heal it. UNPROVEN: accepted, it says, without a receipt that binds anyone. */
export type Verdict = 'FINAL' | 'HOLD' | 'UNPROVEN'

/** How long refusals are tried that time may heal, seconds since the first. */
export interface HoldLimits {
  readonly aheadLimitSeconds: number
  readonly registrationLimitSeconds: number
  readonly budgetLimitSeconds: number
}

/**
 * What the answers of one EVSE's rows, in their order, mean for each. A held row that a later one of the same request overtook is over: it would
 * be OVERLAP from now on.
 */
export function judgeAnswers(
  rows: readonly WaitingRow[],
  answers: readonly AnsweredRecord[],
  limits: HoldLimits,
  nowMs: number,
): Verdict[] {
  const lastAccepted = answers.findLastIndex(isAccepted)
  return answers.map((answer, i) => {
    if (isAccepted(answer)) return answer.receipt === undefined ? 'UNPROVEN' : 'FINAL'
    const row = rows[i]!
    const limit = holdLimitSeconds(row.row, answer, limits)
    if (limit === 0 || i < lastAccepted) return 'FINAL'
    return nowMs - (row.held?.sinceMs ?? nowMs) < limit * 1_000 ? 'HOLD' : 'FINAL'
  })
}

function isAccepted({ code }: AnsweredRecord): boolean {
  return code === Outcome.SETTLED || code === DUPLICATE
}

/** 0: not to be healed by time. */
function holdLimitSeconds(row: Uint8Array, { code }: AnsweredRecord, limits: HoldLimits): number {
  if (code === Outcome.BUDGET_EXHAUSTED) return limits.budgetLimitSeconds
  if (code === Outcome.UNKNOWN_EVSE || code === Outcome.UNKNOWN_CONTRACT) return limits.registrationLimitSeconds
  return code === Outcome.MALFORMED && isWellFormed(row) ? limits.aheadLimitSeconds : 0
}

/** What is left of MALFORMED (docs/protocol.md §5) for such a record is that its end lies ahead of the lane's clock. */
export function isWellFormed(row: Uint8Array): boolean {
  const { start, intervals, energyWh, socDrop } = decodeRecord(row)
  return (
    intervals >= 1 &&
    intervals <= MAX_INTERVALS &&
    energyWh >= 1 &&
    energyWh < MAX_ENERGY_WH &&
    socDrop <= MAX_SOC_DROP &&
    Math.floor(start / PERIOD_INTERVALS) === Math.floor((start + intervals - 1) / PERIOD_INTERVALS) &&
    (start + intervals) * INTERVAL_SECONDS <= 0xffffffff
  )
}
