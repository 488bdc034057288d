import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GuardInput } from '../../../evse/guard/guardState.ts'
import { DEFAULT_TRIPS, TRIP_FUNCTIONS, voltageRegion } from '../../../evse/guard/rideThrough.ts'
import type { Telemetry } from '../../../evse/guard/telemetry.ts'
import { fc } from '../../support/property.ts'
import { Bench, GOOD, RATED_W, rulesOf } from './harness.ts'

const RULES = rulesOf()
const RUNS = 300

const unless = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 6 })

/** Mostly an ordinary evening; now and then anything at all. */
const telemetry: fc.Arbitrary<Partial<Telemetry> & { ageMs: number }> = fc.record({
  ageMs: fc.oneof({ weight: 8, arbitrary: fc.integer({ min: 0, max: 60 }) }, fc.integer({ min: -500, max: 900 })),
  powerW: unless(
    fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: -2_000, max: 6_000 }) },
      fc.integer({ min: 9_900, max: 10_400 }),
      fc.constant(Number.NaN),
    ),
  ),
  tempC: unless(fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 18, max: 43 }) }, fc.integer({ min: 39, max: 48 }))),
  gridVoltageV: unless(
    fc.oneof({ weight: 12, arbitrary: fc.integer({ min: 215, max: 240 }) }, fc.integer({ min: 60, max: 300 })),
  ),
  gridFrequencyHz: unless(
    fc
      .oneof({ weight: 20, arbitrary: fc.integer({ min: 4_970, max: 5_005 }) }, fc.integer({ min: 4_650, max: 5_250 }))
      .map((hz) => hz / 100),
  ),
  plcSnrDb: unless(fc.integer({ min: 5, max: 40 })),
  contactorClosed: unless(fc.boolean()),
}) as fc.Arbitrary<Partial<Telemetry> & { ageMs: number }>

type Event =
  | { kind: 'TELEMETRY'; telemetry: Partial<Telemetry> & { ageMs: number } }
  | { kind: 'STREAM'; ms: number; tempC: number }
  | { kind: 'DEMAND'; watts: number; forMs: number }
  | { kind: 'ANSWER'; answer: 'ACCEPTED' | 'REJECTED' | 'UNREACHABLE'; behind: number }
  | { kind: 'TICK' | 'LINK_LOST' | 'RESET' }

const event: fc.Arbitrary<{ afterMs: number; event: Event }> = fc.record({
  afterMs: fc.oneof(
    { weight: 10, arbitrary: fc.integer({ min: 0, max: 180 }) },
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 3_000 }) },
    fc.integer({ min: 0, max: 400_000 }),
  ),
  event: fc.oneof(
    { weight: 10, arbitrary: telemetry.map((one) => ({ kind: 'TELEMETRY', telemetry: one }) as Event) },
    // A stretch of good telemetry, so that discharge is reached at all.
    {
      weight: 6,
      arbitrary: fc
        .record({ ms: fc.integer({ min: 1_000, max: 20_000 }), tempC: fc.integer({ min: 20, max: 41 }) })
        .map((stream) => ({ kind: 'STREAM', ...stream }) as Event),
    },
    {
      weight: 6,
      arbitrary: fc
        .record({ watts: fc.integer({ min: -100, max: 12_000 }), forMs: fc.integer({ min: -10, max: 600_000 }) })
        .map((demand) => ({ kind: 'DEMAND', ...demand }) as Event),
    },
    {
      weight: 3,
      arbitrary: fc
        .record({
          answer: fc.constantFrom('ACCEPTED' as const, 'REJECTED' as const, 'UNREACHABLE' as const),
          behind: fc.integer({ min: 0, max: 1 }),
        })
        .map((answer) => ({ kind: 'ANSWER', ...answer }) as Event),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom('TICK' as const, 'LINK_LOST' as const, 'RESET' as const).map((kind) => ({ kind })),
    },
  ),
})
const events = fc.array(event, { minLength: 1, maxLength: 60 })

function play(bench: Bench, sequence: readonly { afterMs: number; event: Event }[], put = defaultPut): void {
  for (const { afterMs, event: one } of sequence) {
    const atMs = bench.nowMs + afterMs
    switch (one.kind) {
      case 'TELEMETRY': {
        const { ageMs, ...rest } = one.telemetry
        put(bench, atMs, { kind: 'TELEMETRY', telemetry: { ...rest, atMs: atMs - ageMs } })
        break
      }
      case 'STREAM':
        for (let ms = atMs; ms < atMs + one.ms; ms += 150) {
          const powerW = bench.kind === 'STOPPED' ? 0 : bench.limitW
          put(bench, ms, { kind: 'TELEMETRY', telemetry: { ...GOOD, atMs: ms, powerW, tempC: one.tempC } })
        }
        break
      case 'DEMAND':
        put(bench, atMs, { kind: 'DEMAND', watts: one.watts, untilMs: atMs + one.forMs })
        break
      case 'ANSWER':
        bench.pass(atMs)
        put(bench, atMs, { kind: 'ANSWER', id: bench.state.commandId - one.behind, answer: one.answer })
        break
      default:
        put(bench, atMs, { kind: one.kind })
    }
  }
}

function defaultPut(bench: Bench, ms: number, input: GuardInput): void {
  bench.at(ms, input)
}

/** What a second, plainer look at the inputs alone says about safety. Shares no code with the guard. */
class Witness {
  #power: { value: number; atMs: number } | undefined
  #freshSince: number | undefined
  #temp: { value: number; atMs: number } | undefined
  #isHot = false
  #voltage: { value: number; atMs: number } | undefined
  #frequency: { value: number; atMs: number } | undefined
  readonly #beyond = new Map<string, number>()
  #demand = { watts: 0, untilMs: Number.NEGATIVE_INFINITY }

  take(input: GuardInput, nowMs: number): void {
    this.#age(nowMs)
    if (input.kind === 'LINK_LOST') {
      this.#power = undefined
      this.#freshSince = undefined
    }
    if (input.kind === 'DEMAND') this.#demand = input
    if (input.kind !== 'TELEMETRY') return
    const { powerW, tempC, gridVoltageV, gridFrequencyHz } = input.telemetry
    const atMs = Math.min(input.telemetry.atMs, nowMs)
    const newer = (before: { atMs: number } | undefined): boolean => before === undefined || atMs >= before.atMs
    if (powerW !== undefined && Number.isFinite(powerW) && newer(this.#power)) this.#power = { value: powerW, atMs }
    if (tempC !== undefined && newer(this.#temp)) {
      this.#temp = { value: tempC, atMs }
      this.#isHot = tempC > 45 || (this.#isHot && tempC > 42)
    }
    if (gridVoltageV !== undefined && newer(this.#voltage)) {
      this.#voltage = { value: gridVoltageV, atMs }
      this.#limit('V', gridVoltageV / 230, atMs)
    }
    if (gridFrequencyHz !== undefined && newer(this.#frequency)) {
      this.#frequency = { value: gridFrequencyHz, atMs }
      this.#limit('F', gridFrequencyHz / 50, atMs)
    }
    if (this.#power !== undefined && nowMs - this.#power.atMs <= 200) this.#freshSince ??= nowMs
  }

  #age(nowMs: number): void {
    if (this.#power === undefined || nowMs - this.#power.atMs > 200) this.#freshSince = undefined
  }

  #limit(quantity: string, share: number, atMs: number): void {
    for (const name of TRIP_FUNCTIONS.filter((one) => one[1] === quantity)) {
      const { threshold } = DEFAULT_TRIPS.III[name]
      const isOut = name[0] === 'O' ? share > threshold : share < threshold
      if (!isOut) this.#beyond.delete(name)
      else if (!this.#beyond.has(name)) this.#beyond.set(name, atMs)
    }
  }

  /** Why nothing may be fed in now. */
  objection(nowMs: number): string | undefined {
    this.#age(nowMs)
    if (this.#freshSince === undefined) return 'telemetry is too old'
    if (nowMs - this.#freshSince < 1_000) return 'telemetry has not been fresh for long enough'
    if ((this.#power?.value ?? 0) > RATED_W * 1.02) return 'more than rated'
    if (this.#temp === undefined || nowMs - this.#temp.atMs > 10_000) return 'no temperature'
    if (this.#isHot) return 'hot'
    if (this.#voltage !== undefined && voltageRegion('III', this.#voltage.value / 230) === 'CEASE') return 'cessation'
    for (const name of TRIP_FUNCTIONS) {
      const since = this.#beyond.get(name)
      if (since !== undefined && nowMs - since >= DEFAULT_TRIPS.III[name].clearingMs) return name
    }
    return undefined
  }

  mostW(nowMs: number): number {
    const tempC = this.#temp?.value ?? 0
    const share = tempC > 44 ? 0.25 : tempC > 42 ? 0.5 : tempC > 40 ? 0.75 : tempC < 20 ? 0.5 : 1
    const wanted = nowMs < this.#demand.untilMs ? Math.max(0, this.#demand.watts) : 0
    return Math.min(wanted, RATED_W * share)
  }
}

test('nothing is ever fed in while anything speaks against it, and never more than was wanted', () => {
  let positive = 0
  fc.assert(
    fc.property(events, (sequence) => {
      const bench = new Bench(RULES)
      const witness = new Witness()
      const put = (at: Bench, ms: number, input: GuardInput): void => {
        at.pass(ms)
        witness.take(input, ms)
        at.put(input, ms)
      }
      bench.onStep = (_, { state, commands }) => {
        if (state.limit.watts === 0) return
        const objection = witness.objection(state.nowMs)
        assert.equal(objection, undefined, `${state.mode.kind} ${state.limit.watts} W at ${state.nowMs}: ${objection}`)
        for (const command of commands) {
          if (command.kind !== 'LIMIT' || command.watts === 0) continue
          positive++
          assert.ok(
            command.watts <= witness.mostW(state.nowMs),
            `${command.watts} W, ${witness.mostW(state.nowMs)} at most`,
          )
        }
      }
      play(bench, sequence, put)
    }),
    { numRuns: RUNS },
  )
  assert.ok(positive > RUNS, `only ${positive} positive limits: the property was hardly tried`)
})

test('the limit rises no faster than the ramp, and commands come no more often than they may', () => {
  fc.assert(
    fc.property(events, (sequence) => {
      const bench = new Bench(RULES)
      play(bench, sequence)
      let before: { atMs: number; watts: number } | undefined
      for (const { atMs, command } of bench.commands) {
        const watts = command.kind === 'LIMIT' ? command.watts : 0
        if (before !== undefined && watts > before.watts) {
          assert.ok(atMs - before.atMs >= RULES.rampStepMs, `a rise ${atMs - before.atMs} ms after a command`)
          assert.ok(watts - before.watts <= RULES.rampUpWPerS, `${watts - before.watts} W in one step`)
        }
        before = { atMs, watts }
      }
      // In a second: one rise or fall by demand, each thermal step, one pause, a repeat and a stop.
      const most = RULES.thermal.steps.length + 5
      bench.commands.forEach(({ atMs }, index) => {
        const later = bench.commands[index + most]
        assert.ok(later === undefined || later.atMs - atMs >= RULES.rampStepMs, `more than ${most} commands a second`)
      })
    }),
    { numRuns: RUNS },
  )
})

test('a contactor that nobody reports is not started before its dwell is over', () => {
  fc.assert(
    fc.property(events, (sequence) => {
      const bench = new Bench(RULES)
      let lastSwitchMs: number | undefined
      let watts = 0
      bench.onStep = (_, { state, commands }) => {
        for (const command of commands) {
          const next = command.kind === 'LIMIT' ? command.watts : 0
          const isStop = command.kind === 'STOP'
          if (next > 0 && watts === 0 && lastSwitchMs !== undefined) {
            assert.ok(
              state.nowMs - lastSwitchMs >= RULES.contactorDwellMs,
              `${state.nowMs - lastSwitchMs} ms after a switch`,
            )
          }
          if (isStop || next > 0 !== watts > 0) lastSwitchMs = state.nowMs
          watts = next
        }
      }
      const hide = (at: Bench, ms: number, input: GuardInput): void => {
        if (input.kind !== 'TELEMETRY') at.at(ms, input)
        else {
          const { contactorClosed: _, ...rest } = input.telemetry
          at.at(ms, { kind: 'TELEMETRY', telemetry: rest })
        }
      }
      play(bench, sequence, hide)
    }),
    { numRuns: RUNS },
  )
})

test('a reported contactor is not asked to close before its dwell is over', () => {
  fc.assert(
    fc.property(events, (sequence) => {
      const bench = new Bench(RULES)
      let isClosed: boolean | undefined
      let switchedMs: number | undefined
      bench.onStep = (before, { state, commands }) => {
        if (isClosed !== undefined && state.contactorClosed !== isClosed) switchedMs = state.nowMs
        isClosed = state.contactorClosed
        for (const command of commands) {
          if (command.kind !== 'LIMIT' || command.watts === 0 || before.limit.watts > 0) continue
          if (isClosed !== false || switchedMs === undefined) continue
          assert.ok(state.nowMs - switchedMs >= RULES.contactorDwellMs)
        }
      }
      play(bench, sequence)
    }),
    { numRuns: RUNS },
  )
})

test('from anywhere, with good telemetry and an operator, it comes back', () => {
  const { enterServiceMs, enterServiceRampMs } = RULES.grid
  const longest = enterServiceMs + enterServiceRampMs + RULES.contactorDwellMs + 60_000
  fc.assert(
    fc.property(events, (sequence) => {
      const bench = new Bench(RULES)
      play(bench, sequence)
      const startMs = bench.nowMs
      bench.demand(startMs, 4_000)
      bench.obey(startMs + 3_000)
      bench.put({ kind: 'RESET' }, bench.nowMs)
      bench.obey(startMs + longest)
      assert.equal(bench.kind, 'DISCHARGING', JSON.stringify(bench.state))
      assert.equal(bench.limitW, 4_000)
      assert.deepEqual(bench.state.flags, [])
    }),
    { numRuns: 100 },
  )
})

test('the same inputs give the same steps', () => {
  fc.assert(
    fc.property(events, (sequence) => {
      const [one, other] = [new Bench(RULES), new Bench(RULES)]
      play(one, sequence)
      play(other, sequence)
      assert.deepEqual(one.commands, other.commands)
      assert.deepEqual(one.state, other.state)
    }),
    { numRuns: 50 },
  )
})

test('before it asks to be woken, time changes nothing', () => {
  fc.assert(
    fc.property(events, fc.double({ min: 0, max: 1, noNaN: true }), (sequence, share) => {
      const bench = new Bench(RULES)
      play(bench, sequence)
      const untilMs = Math.min(bench.wakeAtMs, bench.nowMs + 1_000_000)
      const early = bench.nowMs + Math.floor((untilMs - bench.nowMs) * share)
      if (early >= bench.wakeAtMs) return
      const { commands, raised, cleared, state, wakeAtMs } = bench.put({ kind: 'TICK' }, early)
      assert.deepEqual([commands, raised, cleared], [[], [], []])
      assert.equal(wakeAtMs, bench.wakeAtMs)
      assert.deepEqual({ ...state, nowMs: 0 }, { ...bench.state, nowMs: 0 })
    }),
    { numRuns: RUNS },
  )
})

test('a state is never changed after it was given out', () => {
  fc.assert(
    fc.property(events, (sequence) => {
      const bench = new Bench(RULES)
      const copies: [unknown, unknown][] = []
      bench.onStep = (_, { state }) => copies.push([state, structuredClone(state)])
      play(bench, sequence)
      for (const [state, copy] of copies.slice(-200)) assert.deepEqual(state, copy)
    }),
    { numRuns: 20 },
  )
})
