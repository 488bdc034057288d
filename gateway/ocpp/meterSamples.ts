import type { MeterSample } from '../../evse/metering/meterEvent.ts'
import type { EdgeEvse } from '../fleet/directory.ts'
import type { JudgeSignedValue, SignedReading } from '../ocmf/signedValue.ts'
import { exportInterval, exportRegister, type MeterSource } from './exportEnergy.ts'
import { EARLIEST_PLAUSIBLE_MS, FUTURE_SLACK_MS } from './limits.ts'
import type { Reading, ReadingGroup } from './reading.ts'
import { socBpOf, tempOf } from './telemetryReading.ts'

// From the sampled values of one message to meter samples, by the EVSE's policy for signatures.

export interface SampleContext {
  readonly evse: EdgeEvse
  /** Which register the transaction is counted by; undefined: none yet. */
  readonly source: MeterSource | undefined
  readonly judge: JudgeSignedValue
  /** Of the gateway's clock. */
  readonly receivedMs: number
  readonly acceptIntervals: boolean
}

export interface SampleProblem {
  readonly code: string
  readonly message: string
}

/** A sample, and energy since the last one where the station has no register. */
export interface SampleDraft {
  readonly sample: MeterSample
  readonly intervalMilliWh: number | undefined
}

export interface ReadSamples {
  /** By time. */
  readonly drafts: readonly SampleDraft[]
  readonly evidence: readonly Uint8Array[]
  readonly source: MeterSource | undefined
  readonly problems: readonly SampleProblem[]
}

/** A signed number may have fewer digits than the plain one of the same meter. */
const SAME_READING_MILLI_WH = 1_000

export async function readSamples(groups: readonly ReadingGroup[], context: SampleContext): Promise<ReadSamples> {
  const drafts: SampleDraft[] = []
  const evidence: Uint8Array[] = []
  const problems: SampleProblem[] = []
  let { source } = context
  for (const { atMs, readings } of groups) {
    const signed = await judgeGroup(readings, context, evidence, problems)
    if (!isPlausible(atMs, context.receivedMs)) {
      problems.push({ code: 'CLOCK_UNTRUSTED', message: `a sample is dated ${describeTime(atMs)}` })
      continue
    }
    const plain = signed.mayTakePlain ? exportRegister(readings, source) : ({ kind: 'NONE' } as const)
    if (plain.kind === 'BAD') problems.push({ code: 'ERR_DATA_INCONSISTENCY', message: plain.message })
    if (plain.kind === 'READ') source ??= plain.source
    const plainMilliWh = plain.kind === 'READ' ? plain.milliWh : undefined
    const used = settle(signed.readings, plainMilliWh, { atMs, policy: context.evse.signedValues, problems })
    for (const earlier of used.earlier) drafts.push({ sample: earlier, intervalMilliWh: undefined })

    let intervalMilliWh: number | undefined
    if (used.exportMilliWh === undefined && signed.mayTakePlain) {
      const interval = exportInterval(readings, source)
      if (interval.kind === 'BAD') problems.push({ code: 'ERR_DATA_INCONSISTENCY', message: interval.message })
      if (interval.kind === 'READ' && context.acceptIntervals) {
        source ??= interval.source
        intervalMilliWh = interval.milliWh
      } else if (interval.kind === 'READ') {
        const message = 'it sends export by intervals only: see acceptIntervals'
        problems.push({ code: 'EXPORT_REGISTER_MISSING', message })
      }
    }
    const [socBp, tempC] = [socBpOf(readings), tempOf(readings)]
    const sample: MeterSample = {
      atMs: used.atMs,
      ...(used.exportMilliWh === undefined ? {} : { exportMilliWh: used.exportMilliWh }),
      ...(socBp === undefined ? {} : { socBp }),
      ...(tempC === undefined ? {} : { tempC }),
    }
    if (Object.keys(sample).length > 1 || intervalMilliWh !== undefined) drafts.push({ sample, intervalMilliWh })
  }
  drafts.sort((a, b) => a.sample.atMs - b.sample.atMs)
  return { drafts, evidence, source, problems }
}

function isPlausible(atMs: number, receivedMs: number): boolean {
  return atMs >= EARLIEST_PLAUSIBLE_MS && atMs <= receivedMs + FUTURE_SLACK_MS
}

function describeTime(atMs: number): string {
  return Number.isNaN(new Date(atMs).getTime()) ? 'no time' : new Date(atMs).toISOString()
}

interface JudgedGroup {
  /** Of values that were verified. */
  readonly readings: readonly SignedReading[]
  readonly mayTakePlain: boolean
}

async function judgeGroup(
  readings: readonly Reading[],
  { evse, judge }: SampleContext,
  evidence: Uint8Array[],
  problems: SampleProblem[],
): Promise<JudgedGroup> {
  // Stations attach one signed value to several measurands.
  const values = new Map(readings.flatMap(({ signed }) => (signed === undefined ? [] : [[signed.data, signed]])))
  const verified: SignedReading[] = []
  let refused = false
  for (const value of values.values()) {
    const judgement = await judge(evse, value)
    if (judgement.evidence !== undefined) evidence.push(judgement.evidence)
    if (judgement.verdict === 'VERIFIED') verified.push(...judgement.value.readings)
    if (judgement.verdict === 'FLAGGED' || judgement.verdict === 'REFUSED') {
      refused ||= judgement.verdict === 'REFUSED'
      // What the car took is signed as well, and none of our business.
      if (judgement.problem.code !== 'OCMF_NOT_EXPORT') problems.push(judgement.problem)
    }
  }
  if (verified.length > 0) return { readings: verified, mayTakePlain: evse.signedValues !== 'refuse' }
  if (refused) return { readings: [], mayTakePlain: false }
  const exports = readings.some(({ measurand }) => measurand.startsWith('Energy.Active.Export.'))
  if (values.size > 0 || !exports || evse.signedValues === 'ignore') {
    return { readings: [], mayTakePlain: evse.signedValues !== 'refuse' }
  }
  const judgement = await judge(evse, undefined)
  if (judgement.verdict === 'FLAGGED' || judgement.verdict === 'REFUSED') problems.push(judgement.problem)
  return { readings: [], mayTakePlain: judgement.verdict !== 'REFUSED' && evse.signedValues !== 'refuse' }
}

interface Settled {
  readonly atMs: number
  readonly exportMilliWh: number | undefined
  /** A value may hold how the transaction began as well. */
  readonly earlier: readonly MeterSample[]
}

/**
 * Signed readings go before plain numbers. Where both are there and the policy only checks, the plain one stands if it is the same reading with more
 * digits: a transaction whose other readings are plain would else seem to run backwards.
 */
function settle(
  signed: readonly SignedReading[],
  plainMilliWh: number | undefined,
  group: { atMs: number; policy: EdgeEvse['signedValues']; problems: SampleProblem[] },
): Settled {
  const last = signed.at(-1)
  if (last === undefined) return { atMs: group.atMs, exportMilliWh: plainMilliWh, earlier: [] }
  const earlier = signed
    .slice(0, -1)
    .filter(({ synchronised }) => synchronised)
    .map(({ atMs, exportMilliWh }) => ({ atMs, exportMilliWh }))
  const agrees = plainMilliWh !== undefined && Math.abs(plainMilliWh - last.exportMilliWh) < SAME_READING_MILLI_WH
  if (agrees && group.policy === 'check') return { atMs: group.atMs, exportMilliWh: plainMilliWh, earlier }
  if (plainMilliWh !== undefined && !agrees) {
    const message = `the meter signed ${last.exportMilliWh} mWh and the station says ${plainMilliWh} mWh`
    group.problems.push({ code: 'ERR_DATA_INCONSISTENCY', message })
  }
  return { atMs: last.synchronised ? last.atMs : group.atMs, exportMilliWh: last.exportMilliWh, earlier }
}
