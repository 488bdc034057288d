import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GuardStep } from '../../../evse/guard/guard.ts'
import { INPUT_KINDS, MODE_KINDS, type ModeKind } from '../../../evse/guard/guardState.ts'
import { CONDITIONS, NEXT_MODE, ZERO_CONDITIONS } from '../../../evse/guard/transitions.ts'
import { Bench, GOOD, RATED_W, rulesOf } from './harness.ts'

// Every mode against every class of input: what it leads to is written down here, once more than in the code.

/** How an EVSE gets into each mode. All reach it at about the same age, with telemetry fresh. */
const INTO: Readonly<Record<ModeKind, () => Bench>> = {
  IDLE: () => {
    const bench = Bench.discharging()
    bench.demand(bench.nowMs, 0)
    bench.obey(bench.nowMs + 100)
    return bench
  },
  WAITING: () => {
    const bench = Bench.discharging()
    bench.demand(bench.nowMs, 0)
    bench.obey(bench.nowMs + 100, { contactorClosed: false })
    bench.demand(bench.nowMs, 5_000)
    return bench
  },
  RAMPING: () => {
    const bench = Bench.discharging()
    bench.demand(bench.nowMs, 9_000)
    bench.obey(bench.nowMs + 1_500)
    return bench
  },
  DISCHARGING: () => Bench.discharging(),
  THROTTLED: () => {
    const bench = Bench.discharging()
    bench.obey(bench.nowMs + 1_000, { tempC: 43 })
    bench.demand(bench.nowMs, 6_000)
    return bench
  },
  COOLING: () => {
    const bench = Bench.discharging()
    bench.obey(bench.nowMs + 100, { tempC: 46 })
    return bench
  },
  PAUSED_STALE: () => {
    const bench = Bench.discharging()
    bench.pass(bench.nowMs + 500)
    bench.telemetry(bench.nowMs + 500)
    return bench
  },
  PAUSED_UNMEASURED: () => {
    const bench = Bench.discharging()
    bench.obey(bench.nowMs + 10_200, { tempC: undefined } as object)
    return bench
  },
  PAUSED_COLD: () => {
    const bench = Bench.discharging({ thermal: { cold: 'pause' } })
    bench.obey(bench.nowMs + 100, { tempC: 5 })
    return bench
  },
  CEASED: () => {
    const bench = Bench.discharging()
    bench.obey(bench.nowMs + 100, { gridVoltageV: 100 })
    return bench
  },
  TRIPPED: () => {
    const bench = Bench.discharging()
    bench.obey(bench.nowMs + 100, { gridVoltageV: 290 })
    bench.obey(bench.nowMs + 200, { gridVoltageV: 290 })
    bench.obey(bench.nowMs + 100)
    return bench
  },
  STOPPED: () => {
    const bench = Bench.discharging()
    bench.telemetry(bench.nowMs + 100, { powerW: 2 * RATED_W })
    bench.obey(bench.nowMs + 1_500)
    return bench
  },
}

type Act = (bench: Bench) => GuardStep

const report =
  (change: object): Act =>
  (bench) =>
    bench.telemetry(bench.nowMs + 50, {
      powerW: bench.limitW,
      contactorClosed: bench.state.contactorClosed === true,
      ...change,
    })

/** Every class of input, each with the kind it is of. */
const CLASSES = {
  'TELEMETRY good': report({}),
  'TELEMETRY hot': report({ tempC: 50 }),
  'TELEMETRY warm': report({ tempC: 43 }),
  'TELEMETRY cold': report({ tempC: 5 }),
  'TELEMETRY cease': report({ gridVoltageV: 100 }),
  'TELEMETRY sag': report({ gridVoltageV: 190 }),
  'TELEMETRY too much': report({ powerW: 2 * RATED_W }),
  'TELEMETRY nothing': (bench) =>
    bench.at(bench.nowMs + 50, { kind: 'TELEMETRY', telemetry: { atMs: bench.nowMs + 50 } }),
  'TELEMETRY old': (bench) =>
    bench.at(bench.nowMs + 50, { kind: 'TELEMETRY', telemetry: { ...GOOD, tempC: 90, atMs: 0 } }),
  'DEMAND none': (bench) => bench.put({ kind: 'DEMAND', watts: 0, untilMs: Number.POSITIVE_INFINITY }, bench.nowMs),
  'DEMAND more': (bench) => bench.put({ kind: 'DEMAND', watts: 9_500, untilMs: Number.POSITIVE_INFINITY }, bench.nowMs),
  'DEMAND over': (bench) => bench.put({ kind: 'DEMAND', watts: 9_500, untilMs: 0 }, bench.nowMs),
  'TICK now': (bench) => bench.put({ kind: 'TICK' }, bench.nowMs),
  'TICK later': (bench) => bench.put({ kind: 'TICK' }, bench.nowMs + 201),
  'TICK late': (bench) => bench.put({ kind: 'TICK', lateMs: 500 }, bench.nowMs),
  'ANSWER yes': (bench) => bench.put({ kind: 'ANSWER', id: bench.state.commandId, answer: 'ACCEPTED' }, bench.nowMs),
  'ANSWER no': (bench) => bench.put({ kind: 'ANSWER', id: bench.state.commandId, answer: 'REJECTED' }, bench.nowMs),
  'ANSWER lost': (bench) =>
    bench.put({ kind: 'ANSWER', id: bench.state.commandId, answer: 'UNREACHABLE' }, bench.nowMs),
  LINK_LOST: (bench) => bench.put({ kind: 'LINK_LOST' }, bench.nowMs),
  RESET: (bench) => bench.put({ kind: 'RESET' }, bench.nowMs),
} satisfies Record<string, Act>
type Class = keyof typeof CLASSES

/** What a class of input leads to; `same`: the mode stays. Modes that differ from their row's rule are named. */
const EXPECTED: Readonly<
  Record<Class, { readonly to: ModeKind | 'same'; readonly but?: Partial<Record<ModeKind, ModeKind>> }>
> = {
  'TELEMETRY good': {
    to: 'same',
    but: {
      THROTTLED: 'RAMPING',
      PAUSED_UNMEASURED: 'RAMPING',
      PAUSED_COLD: 'RAMPING',
      CEASED: 'RAMPING',
      COOLING: 'RAMPING',
    },
  },
  'TELEMETRY hot': { to: 'COOLING', but: { TRIPPED: 'TRIPPED', STOPPED: 'STOPPED' } },
  'TELEMETRY warm': {
    to: 'same',
    but: { PAUSED_UNMEASURED: 'RAMPING', PAUSED_COLD: 'RAMPING', CEASED: 'RAMPING', RAMPING: 'THROTTLED' },
  },
  'TELEMETRY cold': {
    to: 'same',
    but: { PAUSED_UNMEASURED: 'RAMPING', CEASED: 'RAMPING', COOLING: 'RAMPING', RAMPING: 'THROTTLED' },
  },
  'TELEMETRY cease': { to: 'CEASED', but: { TRIPPED: 'TRIPPED', STOPPED: 'STOPPED' } },
  'TELEMETRY sag': {
    to: 'same',
    but: {
      THROTTLED: 'RAMPING',
      PAUSED_UNMEASURED: 'RAMPING',
      PAUSED_COLD: 'RAMPING',
      CEASED: 'RAMPING',
      COOLING: 'RAMPING',
    },
  },
  'TELEMETRY too much': { to: 'STOPPED' },
  'TELEMETRY nothing': { to: 'same' },
  'TELEMETRY old': { to: 'same' },
  'DEMAND none': {
    to: 'IDLE',
    but: { COOLING: 'COOLING', CEASED: 'CEASED', TRIPPED: 'TRIPPED', STOPPED: 'STOPPED' },
  },
  'DEMAND more': { to: 'same', but: { IDLE: 'RAMPING', DISCHARGING: 'RAMPING' } },
  'DEMAND over': {
    to: 'IDLE',
    but: { COOLING: 'COOLING', CEASED: 'CEASED', TRIPPED: 'TRIPPED', STOPPED: 'STOPPED' },
  },
  'TICK now': { to: 'same' },
  'TICK later': {
    to: 'PAUSED_STALE',
    but: { IDLE: 'IDLE', COOLING: 'COOLING', CEASED: 'CEASED', TRIPPED: 'TRIPPED', STOPPED: 'STOPPED' },
  },
  'TICK late': { to: 'same' },
  'ANSWER yes': { to: 'same' },
  'ANSWER no': { to: 'same' },
  'ANSWER lost': { to: 'same' },
  LINK_LOST: {
    to: 'PAUSED_STALE',
    but: { IDLE: 'IDLE', COOLING: 'COOLING', CEASED: 'CEASED', TRIPPED: 'TRIPPED', STOPPED: 'STOPPED' },
  },
  RESET: { to: 'same', but: { STOPPED: 'RAMPING' } },
}

test('every kind of input has a class', () => {
  const kinds = new Set(Object.keys(CLASSES).map((name) => name.split(' ')[0]))
  assert.deepEqual([...kinds].sort(), [...INPUT_KINDS].sort())
})

for (const mode of MODE_KINDS) {
  test(`${mode}: every input leads where the table says`, () => {
    for (const name of Object.keys(CLASSES) as Class[]) {
      const bench = INTO[mode]()
      assert.equal(bench.kind, mode)
      CLASSES[name](bench)
      const { to, but } = EXPECTED[name]
      const expected = but?.[mode] ?? (to === 'same' ? mode : to)
      assert.equal(bench.kind, expected, `${mode} × ${name}`)
      if (!['RAMPING', 'DISCHARGING', 'THROTTLED'].includes(expected))
        assert.equal(bench.limitW, 0, `${mode} × ${name}`)
    }
  })
}

test('the table knows every mode under every condition', () => {
  for (const mode of MODE_KINDS) {
    for (const condition of CONDITIONS) {
      const next = NEXT_MODE[mode][condition]
      assert.ok(MODE_KINDS.includes(next), `${mode} × ${condition}`)
      const mayFlow = ['RAMPING', 'DISCHARGING', 'THROTTLED'].includes(next)
      assert.equal(mayFlow, !ZERO_CONDITIONS.includes(condition), `${mode} × ${condition} leads to ${next}`)
    }
  }
})

test('each mode can be reached', () => {
  for (const mode of MODE_KINDS) assert.equal(INTO[mode]().kind, mode)
  assert.equal(rulesOf().ratedW, RATED_W)
})
