import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bench, type GOOD, RATED_W, rulesOf } from './harness.ts'

const limits = (bench: Bench, sinceMs = 0): number[] =>
  bench.commands.flatMap(({ atMs, command }) => (atMs >= sinceMs && command.kind === 'LIMIT' ? [command.watts] : []))

test('a demand is reached by the ramp, and no faster', () => {
  const bench = Bench.discharging()
  assert.equal(bench.kind, 'DISCHARGING')
  assert.deepEqual(limits(bench), [0, 1_000, 2_000, 3_000, 4_000, 5_000])
  assert.deepEqual(
    bench.commands.slice(1).map(({ atMs }) => atMs),
    [3_000, 4_000, 5_000, 6_000, 7_000],
  )
})

test('telemetry that is older than 200 ms pauses; fresh telemetry for a second resumes', () => {
  const bench = Bench.discharging()
  bench.pass(10_200.5)
  assert.equal(bench.kind, 'DISCHARGING')
  bench.pass(10_202)
  assert.equal(bench.kind, 'PAUSED_STALE')
  assert.deepEqual(bench.commands.at(-1), {
    atMs: 10_201,
    command: { kind: 'LIMIT', id: bench.state.commandId, watts: 0, why: 'PAUSED_STALE' },
  })
  assert.deepEqual(bench.state.flags, ['TELEMETRY_STALE'])
  bench.telemetry(15_000)
  bench.obey(15_900)
  assert.equal(bench.kind, 'PAUSED_STALE')
  bench.obey(16_000)
  assert.equal(bench.kind, 'RAMPING')
  assert.deepEqual(bench.state.flags, [])
})

test('telemetry without a power, late telemetry and telemetry from the future are no signs of life', () => {
  for (const change of [{ powerW: undefined }, { powerW: Number.NaN }, { atMs: 10_000 }]) {
    const bench = Bench.discharging()
    bench.telemetry(10_150, change as Partial<typeof GOOD>)
    bench.pass(10_300)
    assert.equal(bench.kind, 'PAUSED_STALE', JSON.stringify(change))
  }
  const bench = Bench.discharging()
  bench.telemetry(10_100, { atMs: 99_000 })
  bench.pass(10_400)
  assert.equal(bench.kind, 'PAUSED_STALE')
})

test('a lost link pauses at once', () => {
  const bench = Bench.discharging()
  const { commands } = bench.at(10_050, { kind: 'LINK_LOST' })
  assert.deepEqual(
    commands.map((command) => command.kind === 'LIMIT' && command.watts),
    [0],
  )
  assert.equal(bench.kind, 'PAUSED_STALE')
})

test('demand that ends or runs out takes power away at once', () => {
  const ended = Bench.discharging()
  ended.demand(10_010, 0)
  assert.deepEqual([ended.kind, ended.limitW], ['IDLE', 0])
  const over = Bench.discharging()
  over.demand(10_010, 5_000, 10_100)
  over.pass(10_101)
  assert.deepEqual([over.kind, over.limitW], ['IDLE', 0])
})

test('demand is never followed above rated power, and nonsense asks for nothing', () => {
  const bench = Bench.discharging()
  bench.demand(10_010, 1e9)
  bench.obey(30_000)
  assert.deepEqual([bench.kind, bench.limitW], ['THROTTLED', RATED_W])
  for (const watts of [Number.NaN, -5, Number.POSITIVE_INFINITY]) {
    const other = Bench.discharging()
    other.demand(10_010, watts)
    assert.deepEqual([other.kind, other.limitW], ['IDLE', 0])
  }
})

test('warm is throttled by steps, hot pauses until 42 °C, and 45 °C itself does neither', () => {
  const bench = Bench.discharging()
  bench.demand(10_000, RATED_W)
  bench.obey(20_000)
  assert.equal(bench.limitW, RATED_W)
  const at = (tempC: number): number => {
    bench.obey(bench.nowMs + 20_000, { tempC })
    return bench.limitW
  }
  assert.deepEqual([40, 40.1, 42.1, 44.1, 45].map(at), [10_000, 7_500, 5_000, 2_500, 2_500])
  assert.equal(bench.kind, 'THROTTLED')
  assert.deepEqual(bench.state.flags, ['THERMAL_COOLING_OFF'])
  assert.equal(at(45.01), 0)
  assert.equal(bench.kind, 'COOLING')
  assert.deepEqual(bench.state.flags, ['THERMAL_LIMIT_REACHED'])
  assert.deepEqual([44.9, 42.1].map(at), [0, 0])
  assert.deepEqual([42, 41.6, 41.4, 39.5].map(at), [5_000, 5_000, 7_500, 10_000])
  assert.deepEqual(bench.state.flags, [])
})

test('a temperature that hovers at the limit does not switch', () => {
  const bench = Bench.discharging()
  const before = bench.commands.length
  for (let index = 0; index < 100; index++) {
    bench.obey(bench.nowMs + 100, { tempC: index % 2 === 0 ? 45.2 : 44.8 })
  }
  assert.equal(bench.commands.length - before, 1)
})

test('too hot is answered in the step that tells of it', () => {
  const bench = Bench.discharging()
  const { commands, raised } = bench.telemetry(10_050, { powerW: 5_000, tempC: 46 })
  assert.deepEqual(
    commands.map((command) => command.kind === 'LIMIT' && command.watts),
    [0],
  )
  assert.deepEqual(raised, ['THERMAL_LIMIT_REACHED'])
})

test('a missing temperature pauses, unless the charger guards its own', () => {
  const bench = new Bench(rulesOf())
  bench.obey(2_000, { tempC: undefined } as object)
  bench.demand(2_000, 5_000)
  assert.equal(bench.kind, 'PAUSED_UNMEASURED')
  assert.deepEqual(bench.state.flags, ['TEMPERATURE_MISSING'])
  const gone = Bench.discharging()
  gone.obey(19_900, { tempC: undefined } as object)
  assert.equal(gone.kind, 'DISCHARGING')
  gone.obey(20_200, { tempC: undefined } as object)
  assert.equal(gone.kind, 'PAUSED_UNMEASURED')
  const own = new Bench(rulesOf({ thermal: { missing: 'ignore' } }))
  own.obey(2_000, { tempC: undefined } as object)
  own.demand(2_000, 5_000)
  assert.equal(own.kind, 'RAMPING')
})

test('cold is halved, paused or only flagged, as configured', () => {
  const after = (cold: string): [string, number, readonly string[]] => {
    const bench = Bench.discharging({ thermal: { cold } })
    bench.demand(10_000, RATED_W)
    bench.obey(40_000, { tempC: 10 })
    return [bench.kind, bench.limitW, bench.state.flags]
  }
  assert.deepEqual(after('derate'), ['THROTTLED', 5_000, ['TEMPERATURE_LOW']])
  assert.deepEqual(after('pause'), ['PAUSED_COLD', 0, ['TEMPERATURE_LOW']])
  assert.deepEqual(after('flag'), ['DISCHARGING', 10_000, ['TEMPERATURE_LOW']])
})

test('a contactor that is not reported waits out its dwell; one that is reported closed goes on', () => {
  const hidden = new Bench(rulesOf())
  const silent = { contactorClosed: undefined } as object
  hidden.obey(2_000, silent)
  hidden.demand(2_000, 5_000)
  hidden.obey(10_000, silent)
  hidden.demand(10_000, 0)
  hidden.demand(10_100, 5_000)
  assert.equal(hidden.kind, 'WAITING')
  hidden.obey(39_900, silent)
  assert.equal(hidden.kind, 'WAITING')
  hidden.obey(40_000, silent)
  assert.equal(hidden.kind, 'RAMPING')

  const closed = Bench.discharging()
  closed.demand(10_000, 0)
  closed.demand(10_100, 5_000)
  assert.equal(closed.kind, 'RAMPING')

  const opened = Bench.discharging()
  opened.demand(10_000, 0)
  opened.obey(11_000, { contactorClosed: false })
  opened.demand(11_000, 5_000)
  assert.equal(opened.kind, 'WAITING')
  opened.obey(40_200, { contactorClosed: false })
  assert.equal(opened.kind, 'RAMPING')
})

test('a stop that is sent again may be the one that opened the contactor: the dwell begins anew', () => {
  const hidden = { contactorClosed: undefined } as object
  const bench = new Bench(rulesOf())
  bench.demand(0, 5_000)
  bench.telemetry(100, { ...hidden, powerW: 2 * RATED_W })
  assert.equal(bench.kind, 'STOPPED')
  // Nobody answers and nobody measures until the lock-out is nearly over.
  bench.pass(899_000)
  const last = bench.commands.at(-1)!
  const lastStopMs = last.atMs
  assert.equal(last.command.kind, 'STOP')
  assert.ok(lastStopMs > 880_000, `${lastStopMs}`)
  for (let ms = 899_000; ms < lastStopMs + 45_000; ms += 100) bench.telemetry(ms, hidden)
  const start = bench.commands.find(({ command }) => command.kind === 'LIMIT' && command.watts > 0)
  assert.equal(start?.atMs, lastStopMs + bench.rules.contactorDwellMs + bench.rules.rampStepMs)
})

test('the power line link is flagged under 10 dB, with hysteresis, and nothing stops', () => {
  const bench = Bench.discharging()
  const flagsAt = (plcSnrDb: number): readonly string[] => {
    bench.obey(bench.nowMs + 100, { plcSnrDb })
    return bench.state.flags
  }
  assert.deepEqual([10, 9.9, 11.9, 12].map(flagsAt), [[], ['PLC_LINK_DEGRADED'], ['PLC_LINK_DEGRADED'], []])
  assert.equal(bench.kind, 'DISCHARGING')
})

test('a limit that is not obeyed is sent again, then the transaction is stopped, then the alarm repeats', () => {
  const bench = Bench.discharging()
  const stubborn = { powerW: 5_000 }
  bench.demand(10_000, 0)
  bench.obey(14_900, stubborn)
  assert.deepEqual(limits(bench, 10_000), [0])
  bench.obey(15_000, stubborn)
  assert.deepEqual(limits(bench, 10_000), [0, 0])
  assert.deepEqual(bench.state.flags, ['COMMAND_NOT_OBEYED'])
  bench.obey(19_900, stubborn)
  assert.equal(bench.kind, 'IDLE')
  bench.obey(20_100, stubborn)
  assert.equal(bench.kind, 'STOPPED')
  bench.obey(60_500, stubborn)
  const stops = bench.commands.filter(({ command }) => command.kind === 'STOP').map(({ atMs }) => atMs)
  assert.deepEqual(stops, [20_000, 30_000, 40_000, 50_000, 60_000])
  assert.deepEqual(
    bench.raised.filter(({ flag }) => flag === 'STOP_NOT_OBEYED').map(({ atMs }) => atMs),
    [30_000, 40_000, 50_000, 60_000],
  )
  bench.obey(60_600)
  assert.deepEqual(bench.state.flags, ['COMMAND_NOT_OBEYED'])
  bench.put({ kind: 'RESET' }, 60_600)
  assert.deepEqual([bench.kind, bench.state.flags], ['IDLE', []])
})

test('power above the limit for a moment is no disobedience', () => {
  const bench = Bench.discharging()
  bench.demand(10_000, 2_000)
  bench.obey(14_000, { powerW: 5_000 })
  bench.obey(14_100)
  bench.obey(40_000, {})
  assert.equal(bench.raised.filter(({ flag }) => flag === 'COMMAND_NOT_OBEYED').length, 0)
})

test('exports above rated power stop the transaction at once, until the lock-out is over', () => {
  const bench = Bench.discharging()
  bench.telemetry(10_100, { powerW: RATED_W * 1.02 })
  assert.equal(bench.kind, 'DISCHARGING')
  const { commands } = bench.telemetry(10_200, { powerW: RATED_W * 1.02 + 1 })
  assert.deepEqual(commands, [{ kind: 'STOP', id: bench.state.commandId, reason: 'RATED_POWER_EXCEEDED' }])
  bench.put({ kind: 'RESET' }, 10_200)
  assert.equal(bench.kind, 'STOPPED')
  bench.obey(910_100)
  assert.equal(bench.kind, 'STOPPED')
  bench.obey(910_300)
  assert.equal(bench.kind, 'RAMPING')
})

test('a command that does not get through is sent again, ever less often, as long as nobody sees the meter', () => {
  const bench = Bench.discharging()
  bench.onStep = (_, { commands }) => {
    const last = commands.at(-1)
    if (last !== undefined) bench.put({ kind: 'ANSWER', id: last.id, answer: 'UNREACHABLE' }, bench.nowMs)
  }
  bench.pass(200_000)
  const sent = bench.commands.filter(({ atMs }) => atMs > 10_000).map(({ atMs }) => atMs - 10_201)
  assert.deepEqual(sent, [0, 5_000, 15_000, 35_000, 75_000, 135_000])
  assert.deepEqual(bench.state.flags, ['TELEMETRY_STALE', 'TEMPERATURE_MISSING', 'COMMAND_UNANSWERED'])
})

test('a guard that is woken late says so, for a while', () => {
  const bench = Bench.discharging()
  bench.at(10_050, { kind: 'TICK', lateMs: 51 })
  assert.deepEqual(bench.state.flags, ['GUARD_LATE'])
  bench.obey(20_100)
  assert.deepEqual(bench.state.flags, [])
})

test('time does not run backwards', () => {
  const bench = Bench.discharging()
  const { state } = bench.put({ kind: 'TICK' }, 5)
  assert.equal(state.nowMs, 10_000)
})
