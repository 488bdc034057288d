import { INTERVAL_SECONDS, MAX_SOC_DROP } from '../../protocol/limits.ts'
import type { DischargeRecord } from '../../protocol/record.ts'
import type { CutRules } from './config.ts'
import type { RecordDraft, WithheldCode } from './draft.ts'
import type { Transaction } from './meterState.ts'
import { dropForEnergy, judgeGauge } from './socGauge.ts'

/** What a draft waits for: somebody to say whose car it is, a reading of the gauge, or the end of its own span. */
export type DraftWait = 'CONTRACT' | 'SOC' | 'TIME'

export type DraftVerdict =
  | { readonly kind: 'SIGN'; readonly record: DischargeRecord; readonly claimedBp: number }
  | { readonly kind: 'WAIT'; readonly waitsFor: DraftWait }
  | { readonly kind: 'WITHHOLD'; readonly code: WithheldCode; readonly message: string }

export interface DraftFacts {
  /** Undefined: forgotten, which is as good as over. */
  readonly transaction: Transaction | undefined
  /** Of a contract of this lane, watt-hours; undefined when the contract is not known. */
  readonly capacityWh: number | undefined
  /** Drop that the transaction's records before this one claimed, 0.01 %. */
  readonly claimedBp: number
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly nowMs: number
}

/**
 * Whether a draft can be signed, and as what. The record depends on nothing that may change between two tries: only whether it is
 * signed does, so that a crash never leads to two different records of one span.
 */
export function judgeDraft(draft: RecordDraft, facts: DraftFacts, rules: CutRules): DraftVerdict {
  const { transaction, capacityWh, claimedBp } = facts
  if (draft.end * INTERVAL_SECONDS * 1_000 > facts.nowMs) return { kind: 'WAIT', waitsFor: 'TIME' }
  const isOpen = transaction?.end === 'OPEN'
  const contract = transaction?.contract
  if (contract === undefined || capacityWh === undefined) {
    if (isOpen) return { kind: 'WAIT', waitsFor: 'CONTRACT' }
    const message =
      contract === undefined ? 'nobody said whose car it was' : `contract ${contract} is not known in this lane`
    return { kind: 'WITHHOLD', code: 'CONTRACT_UNKNOWN', message }
  }
  const gauge = transaction?.gauge
  if (gauge === undefined && rules.socSource === 'measured') {
    if (isOpen) return { kind: 'WAIT', waitsFor: 'SOC' }
    return { kind: 'WITHHOLD', code: 'SOC_UNKNOWN', message: 'the car never told its state of charge' }
  }
  if (gauge !== undefined) {
    const energy = { exportedMilliWh: draft.exportedMilliWh, atMs: draft.end * INTERVAL_SECONDS * 1_000 }
    const verdict = judgeGauge(gauge, energy, { ...rules, capacityWh })
    if (verdict !== 'COVERED') {
      if (isOpen && verdict !== 'TOO_EARLY') return { kind: 'WAIT', waitsFor: 'SOC' }
      return { kind: 'WITHHOLD', ...GAUGE_SAYS[verdict] }
    }
  }
  const needed = dropForEnergy(draft.energyWh, capacityWh)
  if (needed > MAX_SOC_DROP) {
    const message = `more than the battery of ${capacityWh} Wh holds in one record`
    return { kind: 'WITHHOLD', code: 'ERR_DATA_INCONSISTENCY', message }
  }
  const socDrop = Math.min(MAX_SOC_DROP, Math.max(needed, draft.dropBp - claimedBp))
  const record = {
    evse: rules.slot,
    contract,
    start: draft.start,
    intervals: draft.end - draft.start,
    energyWh: draft.energyWh,
    meterEndWh: draft.meterEndWh,
    socDrop,
    tempC: draft.tempC,
  }
  return { kind: 'SIGN', record, claimedBp: claimedBp + socDrop }
}

const GAUGE_SAYS = {
  STALE: { code: 'SOC_UNKNOWN', message: 'the car’s gauge fell silent' },
  TOO_EARLY: { code: 'SOC_UNKNOWN', message: 'the car’s gauge was first read much later' },
  CONTRADICTED: { code: 'ERR_DATA_INCONSISTENCY', message: 'the car’s gauge fell less than the energy says' },
} as const satisfies Record<string, { code: WithheldCode; message: string }>
