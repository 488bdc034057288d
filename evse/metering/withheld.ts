import { BackfeedError } from '../../runtime/errors.ts'
import type { CutRules } from './config.ts'
import type { RecordDraft, WithheldCode, WithheldDraft } from './draft.ts'
import { maxRecordWh, periodEnd } from './recordSize.ts'

/** Energy that was measured and is not signed, for a person to look at. */
export interface WithheldEntry {
  readonly evse: string
  /** With the EVSE: its name, for `releaseGap`. */
  readonly id: string
  readonly code: WithheldCode
  readonly message: string
  readonly transaction: string | undefined
  /** First interval, and one past the last. */
  readonly start: number
  readonly end: number
  readonly energyWh: number
  /** Export register at the end. */
  readonly meterEndWh: number
  /** A gap that later records still wait for: it can be released. */
  readonly isReleasable: boolean
}

export function withheldEntry(evse: string, draft: WithheldDraft, isReleasable: boolean): WithheldEntry {
  const { number, part, code, message, transaction, start, end, energyWh, meterEndWh } = draft
  return { evse, id: `${number}.${part}`, code, message, transaction, start, end, energyWh, meterEndWh, isReleasable }
}

/** `number.part`, as entries are called. @throws BackfeedError NOT_WITHHELD */
export function parseWithheldId(id: string): [number: number, part: number] {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(id)
  if (match === null) throw new BackfeedError('NOT_WITHHELD', `${JSON.stringify(id)} is no id of what is put aside`)
  return [Number(match[1]), Number(match[2])]
}

/** Two pieces of the same register next to each other, for the same reason, are one entry. */
export function joined(before: WithheldDraft | undefined, next: WithheldDraft): WithheldDraft | undefined {
  if (before === undefined || before.code !== next.code || before.transaction !== next.transaction) return undefined
  if (next.meterEndWh - next.energyWh !== before.meterEndWh) return undefined
  const { end, meterEndWh, toMilliWh, message } = next
  const energyWh = before.energyWh + next.energyWh
  return { ...before, end: Math.max(before.end, end), meterEndWh, toMilliWh, message, energyWh }
}

/**
 * A gap as records, its energy spread evenly over its time, one record a period: what the operator chooses by releasing it. What settlement
 * would not take of it (its ends are rounded to whole intervals) stays put aside.
 */
export function spreadEvenly(gap: WithheldDraft, rules: CutRules): (RecordDraft | WithheldDraft)[] {
  const drafts: (RecordDraft | WithheldDraft)[] = []
  const startWh = gap.meterEndWh - gap.energyWh
  const { transaction, tempC } = gap
  let [from, fromWh] = [gap.start, startWh]
  while (transaction !== undefined && from < gap.end) {
    const end = Math.min(gap.end, periodEnd(from))
    const share = (end - gap.start) / (gap.end - gap.start)
    const dueWh = startWh + Math.floor(gap.energyWh * share) - fromWh
    const energyWh = Math.min(dueWh, maxRecordWh(rules.ratedW, end - from))
    fromWh += energyWh
    if (energyWh > 0) {
      const exportedMilliWh = gap.fromMilliWh + Math.floor((gap.toMilliWh - gap.fromMilliWh) * share)
      const span = { start: from, end, energyWh, meterEndWh: fromWh, exportedMilliWh, dropBp: gap.dropBp }
      drafts.push({
        kind: 'RECORD',
        number: gap.number,
        part: drafts.length + 1,
        transaction,
        ...span,
        tempC,
      })
    }
    from = end
  }
  const restWh = gap.meterEndWh - fromWh
  if (restWh > 0) {
    const message = 'of a released gap: more than rated power allows'
    drafts.push({ ...gap, part: drafts.length + 1, code: 'POWER_EXCEEDED', message, energyWh: restWh })
  }
  return drafts
}
