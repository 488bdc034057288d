import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cutRulesOf, meteringConfigSchema, type CutRules } from '../../../evse/metering/config.ts'
import { Cutter } from '../../../evse/metering/cutter.ts'
import type { Draft, WithheldDraft } from '../../../evse/metering/draft.ts'
import { idleTransaction } from '../../../evse/metering/foldEvent.ts'
import { judgeDraft } from '../../../evse/metering/judgeDraft.ts'
import type { MeterEvent } from '../../../evse/metering/meterEvent.ts'
import { FRESH_METER, findTransaction, type MeterState } from '../../../evse/metering/meterState.ts'
import { takeEvents } from '../../../evse/metering/takeEvents.ts'
import type { DischargeRecord } from '../../../protocol/record.ts'
import { fc } from '../../support/property.ts'
import { mangled, meterCurve, randomOf } from './meterCurve.ts'
import { assertSettles } from './settles.ts'

const START_MS = 1_900_000_000_000

interface Outcome {
  readonly state: MeterState
  readonly drafts: readonly Draft[]
  readonly records: readonly DischargeRecord[]
  readonly withheld: readonly WithheldDraft[]
}

/** All messages in the order they came, in random groups; what is missing at the end is given up. */
function run(
  events: readonly MeterEvent[],
  rules: CutRules,
  capacityWh: number,
  how: { seed: number; isImpatient?: boolean },
): Outcome {
  const random = randomOf(how.seed)
  let at = { state: FRESH_METER, held: [] as readonly MeterEvent[] }
  const drafts: Draft[] = []
  for (let i = 0; i < events.length; ) {
    const group = events.slice(i, i + 1 + Math.floor(random() * 5))
    i += group.length
    const taken = takeEvents(at, group, rules, () => how.isImpatient === true && random() < 0.1)
    drafts.push(...taken.drafts)
    // To disk and back.
    at = JSON.parse(JSON.stringify({ state: taken.state, held: taken.held }))
  }
  const last = takeEvents(at, [], rules, () => true)
  drafts.push(...last.drafts)
  assert.equal(last.held.length, 0)
  const cutter = new Cutter(last.state, rules)
  idleTransaction(cutter)
  drafts.push(...cutter.drafts)

  const records: DischargeRecord[] = []
  const withheld: WithheldDraft[] = []
  let [transaction, claimedBp] = ['', 0]
  for (const draft of drafts) {
    if (draft.kind === 'WITHHELD') {
      withheld.push(draft)
      continue
    }
    if (draft.transaction !== transaction) [transaction, claimedBp] = [draft.transaction, 0]
    const facts = { transaction: findTransaction(cutter.state, transaction), capacityWh, claimedBp, nowMs: 4e12 }
    const verdict = judgeDraft(draft, facts, rules)
    assert.notEqual(verdict.kind, 'WAIT')
    if (verdict.kind === 'SIGN') {
      records.push(verdict.record)
      claimedBp = verdict.claimedBp
    } else if (verdict.kind === 'WITHHOLD') {
      const { code, message } = verdict
      const { exportedMilliWh, ...span } = draft
      withheld.push({ ...span, kind: 'WITHHELD', code, message, fromMilliWh: 0, toMilliWh: exportedMilliWh })
    }
  }
  return { state: cutter.state, drafts, records, withheld }
}

const sum = (parts: readonly { energyWh: number }[]): number => parts.reduce((wh, { energyWh }) => wh + energyWh, 0)

/** What must hold whatever came: nothing is made, lost or doubled, and what is signed settles. */
function assertSound(outcome: Outcome, rules: CutRules, capacityWh: number, firstMilliWh: number): void {
  const { state, records, withheld } = outcome
  const registerWh = state.register === undefined ? 0 : Math.floor(state.register.milliWh / 1_000)
  const openWh = registerWh - state.cutWh
  assert.equal(sum(records) + sum(withheld) + openWh, registerWh - Math.floor(firstMilliWh / 1_000), 'conserved')
  let end = 0
  for (const record of records) {
    assert.ok(record.start >= end, 'spans do not overlap')
    end = record.start + record.intervals
    assert.equal(Math.floor(record.start / 60), Math.floor((end - 1) / 60), 'spans lie in one period')
    assert.ok(record.energyWh > 0)
  }
  assertSettles(records, { ratedW: rules.ratedW, capacityWh, contracts: 3 })
}

const setting = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  ratedW: fc.constantFrom(1_000, 3_680, 7_200, 11_000, 22_000, 150_000, 6_000_000),
  recordSeconds: fc.constantFrom(15 as const, 60 as const, 75 as const, 300 as const, 900 as const),
  capacityWh: fc.constantFrom(12_000, 60_000, 100_000, 1_000_000),
  sampleSeconds: fc.constantFrom(1, 10, 60, 300, 899),
  transactions: fc.integer({ min: 1, max: 3 }),
})

function rulesOf(given: { ratedW: number; recordSeconds: CutRules['recordSeconds'] }, more: object = {}): CutRules {
  const config = meteringConfigSchema.parse({ recordSeconds: given.recordSeconds, ...more })
  return cutRulesOf(config, { name: 'e1', lane: 0, slot: 0, ratedW: given.ratedW })
}

test('an honest day without losses is signed to the watt-hour, period by period', () => {
  fc.assert(
    fc.property(setting, fc.boolean(), (given, isFullPower) => {
      const rules = rulesOf(given)
      const curve = meterCurve({ ...given, startMs: START_MS, isFullPower, pauseMs: 16_000 })
      const outcome = run(curve.events, rules, given.capacityWh, { seed: given.seed })
      assertSound(outcome, rules, given.capacityWh, curve.firstMilliWh)
      assert.deepEqual(outcome.withheld, [])
      assert.deepEqual(outcome.state.problems, [])
      assert.equal(sum(outcome.records), Math.floor(curve.lastMilliWh / 1_000) - Math.floor(curve.firstMilliWh / 1_000))
      // The energy of each period is the meter's own, to the rounding of two readings and two watt-hours.
      const periods = new Map<number, number>()
      for (const { start, energyWh } of outcome.records) {
        const period = Math.floor(start / 60)
        periods.set(period, (periods.get(period) ?? 0) + energyWh)
      }
      for (const [period, energyWh] of periods) {
        const true_ = (curve.registerAt((period + 1) * 900_000) - curve.registerAt(period * 900_000)) / 1_000
        assert.ok(Math.abs(energyWh - true_) <= 3, `period ${period}: ${energyWh} signed, ${true_} flowed`)
      }
    }),
    { numRuns: 150 },
  )
})

const share = fc.constantFrom(0, 0.02, 0.2, 0.6)
const mangling = fc.record({ seed: fc.integer({ min: 1 }), lost: share, repeated: share, delayed: share, boots: share })

/** A first transaction that nothing happens to, so that the register's beginning is known to the test. */
function commissioned(events: readonly MeterEvent[], firstMilliWh: number): MeterEvent[] {
  const atMs = START_MS - 60_000
  const common = { evse: 'e1', transaction: 'first', offline: false, contract: 0, atMs }
  const samples = [{ atMs, exportMilliWh: firstMilliWh }]
  return [{ ...common, kind: 'STARTED', seqNo: 0, samples }, { ...common, kind: 'ENDED', seqNo: 1, samples }, ...events]
}

const newestRegister = (events: readonly MeterEvent[]): number =>
  events.reduce((max, { samples }) => Math.max(max, ...samples.map(({ exportMilliWh = 0 }) => exportMilliWh)), 0)

test('whatever is lost, repeated, delayed or renumbered: conserved, in order, and it settles', () => {
  fc.assert(
    fc.property(setting, mangling, fc.boolean(), fc.boolean(), (given, mangle, isFullPower, isImpatient) => {
      const rules = rulesOf(given)
      const curve = meterCurve({ ...given, startMs: START_MS, isFullPower, pauseMs: 0 })
      const events = commissioned(mangled(curve.events, mangle), curve.firstMilliWh)
      const outcome = run(events, rules, given.capacityWh, { seed: given.seed, isImpatient })
      assertSound(outcome, rules, given.capacityWh, curve.firstMilliWh)
      // All that any message said has been counted.
      assert.equal(outcome.state.register?.milliWh, newestRegister(events))
      assert.equal(
        sum(outcome.drafts),
        Math.floor(newestRegister(events) / 1_000) - Math.floor(curve.firstMilliWh / 1_000),
      )
    }),
    { numRuns: 300 },
  )
})

test('repeats and disorder alone cost nothing: everything is signed', () => {
  fc.assert(
    fc.property(setting, mangling, (given, mangle) => {
      const rules = rulesOf(given)
      const curve = meterCurve({ ...given, startMs: START_MS, pauseMs: 16_000 })
      const events = commissioned(mangled(curve.events, { ...mangle, lost: 0, boots: 0 }), curve.firstMilliWh)
      const outcome = run(events, rules, given.capacityWh, { seed: given.seed })
      assertSound(outcome, rules, given.capacityWh, curve.firstMilliWh)
      assert.deepEqual(outcome.withheld, [])
      assert.equal(sum(outcome.records), Math.floor(curve.lastMilliWh / 1_000) - Math.floor(curve.firstMilliWh / 1_000))
    }),
    { numRuns: 200 },
  )
})

test('energy that no whole interval can hold at rated power is put aside, and only that', () => {
  const rules = rulesOf({ ratedW: 11_000, recordSeconds: 900 }, { socSource: 'capacity' })
  const periodMs = START_MS - (START_MS % 900_000)
  const said = (tx: string, kind: MeterEvent['kind'], seconds: number, wh: number): MeterEvent => {
    const atMs = periodMs + seconds * 1_000
    const samples = [{ atMs, exportMilliWh: wh * 1_000, tempC: 20 }]
    return {
      evse: 'e1',
      kind,
      transaction: tx,
      seqNo: kind === 'STARTED' ? 0 : 1,
      atMs,
      offline: false,
      contract: 0,
      samples,
    }
  }
  // The second begins where the first ended, one interval before the period's end, a little above rated power.
  const events = [
    said('a', 'STARTED', 0, 0),
    said('a', 'ENDED', 885, 1_000),
    said('b', 'STARTED', 885, 1_000),
    said('b', 'ENDED', 900, 1_054),
  ]
  const outcome = run(events, rules, 60_000, { seed: 1 })
  assertSound(outcome, rules, 60_000, 0)
  assert.deepEqual(
    outcome.records.map(({ energyWh, meterEndWh }) => [energyWh, meterEndWh]),
    [
      [1_000, 1_000],
      [46, 1_046],
    ],
  )
  assert.deepEqual(
    outcome.withheld.map(({ code, energyWh, meterEndWh }) => [code, energyWh, meterEndWh]),
    [['POWER_EXCEEDED', 8, 1_054]],
  )
})
