import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guardConfigSchema } from '../../../evse/guard/guardConfig.ts'
import {
  CATEGORIES,
  DEFAULT_TRIPS,
  mandatoryMs,
  TRIP_FUNCTIONS,
  voltageRegion,
} from '../../../evse/guard/rideThrough.ts'
import { parseConfig } from '../../../runtime/config.ts'
import { Bench } from './harness.ts'

/** Tables 11, 12, 13 and 18 as they are printed: per unit or hertz at 60 Hz, seconds. */
const PRINTED = {
  I: { OV2: [1.2, 0.16], OV1: [1.1, 2], UV1: [0.7, 2], UV2: [0.45, 0.16] },
  II: { OV2: [1.2, 0.16], OV1: [1.1, 2], UV1: [0.7, 10], UV2: [0.45, 0.16] },
  III: { OV2: [1.2, 0.16], OV1: [1.1, 13], UV1: [0.88, 21], UV2: [0.5, 2] },
} as const
const PRINTED_HZ = { OF2: [62, 0.16], OF1: [61.2, 300], UF1: [58.5, 300], UF2: [56.5, 0.16] } as const

test('default trips are those of the tables', () => {
  for (const category of CATEGORIES) {
    const shares = Object.fromEntries(Object.entries(PRINTED_HZ).map(([name, [hz, s]]) => [name, [hz / 60, s]]))
    const printed: Record<string, readonly number[]> = { ...PRINTED[category], ...shares }
    for (const name of TRIP_FUNCTIONS) {
      const { threshold, clearingMs } = DEFAULT_TRIPS[category][name]
      assert.deepEqual([threshold, clearingMs / 1_000], printed[name], `${category} ${name}`)
    }
  }
})

// Steady telemetry every 20 ms: clearing times of 160 ms must be seen.
function disturbed(config: object, change: object, seconds: number): { bench: Bench; outAfterMs: number | undefined } {
  const bench = Bench.discharging(config as Record<string, unknown>)
  const startMs = bench.nowMs + 20
  let outAfterMs: number | undefined
  for (let ms = startMs; ms <= startMs + seconds * 1_000; ms += 20) {
    bench.telemetry(ms, { powerW: bench.limitW, ...change })
    if (bench.limitW === 0) outAfterMs ??= bench.nowMs - startMs
    if (bench.kind === 'TRIPPED') break
  }
  return { bench, outAfterMs }
}

for (const category of CATEGORIES) {
  for (const nominalHz of [50, 60] as const) {
    test(`category ${category} at ${nominalHz} Hz: every function trips by its clearing time and not before`, () => {
      for (const name of TRIP_FUNCTIONS) {
        const { threshold, clearingMs } = DEFAULT_TRIPS[category][name]
        const isVoltage = name[1] === 'V'
        const share = threshold * (name.startsWith('O') ? 1.001 : 0.999)
        const change = isVoltage ? { gridVoltageV: 230 * share } : { gridFrequencyHz: nominalHz * share }
        const config = { grid: { category, nominalHz, enterServiceMs: 0 } }
        const { outAfterMs, bench } = disturbed(config, change, clearingMs / 1_000 + 1)
        assert.equal(bench.kind, 'TRIPPED', name)
        const isCease = isVoltage && voltageRegion(category, share) === 'CEASE'
        assert.equal(outAfterMs, isCease ? 0 : clearingMs, name)
      }
    })
  }
  test(`category ${category}: goes on through every sag for as long as it must`, () => {
    for (let percent = 30; percent < 88; percent += 3) {
      const mandatory = mandatoryMs(category, percent / 100)
      if (mandatory === undefined) continue
      const { outAfterMs } = disturbed(
        { grid: { category, enterServiceMs: 0 } },
        { gridVoltageV: 2.3 * percent },
        mandatory / 1_000,
      )
      assert.equal(outAfterMs, undefined, `${percent} %`)
    }
  })
}

test('at its limit a voltage is still inside', () => {
  const { bench } = disturbed({}, { gridVoltageV: 230 * 1.1 }, 30)
  assert.equal(bench.kind, 'DISCHARGING')
  assert.deepEqual(bench.state.grid.beyondSinceMs, {})
})

test('a disturbance that ends before its clearing time leaves nothing behind', () => {
  const bench = Bench.discharging()
  for (let round = 0; round < 3; round++) {
    bench.obey(bench.nowMs + 20_000, { gridVoltageV: 230 * 0.85 })
    bench.obey(bench.nowMs + 1_000)
  }
  assert.equal(bench.kind, 'DISCHARGING')
})

test('momentary cessation: nothing while the voltage is there, back by the ramp when it has gone', () => {
  const { bench, outAfterMs } = disturbed({}, { gridVoltageV: 230 * 0.45 }, 1)
  assert.deepEqual([outAfterMs, bench.kind], [0, 'CEASED'])
  bench.obey(bench.nowMs + 100)
  assert.equal(bench.kind, 'RAMPING')
})

test('after a trip the grid must be inside table 4 for five minutes without a break, then power comes back over five minutes', () => {
  const { bench } = disturbed({}, { gridFrequencyHz: 47 }, 1)
  assert.equal(bench.kind, 'TRIPPED')
  assert.deepEqual(bench.state.flags, ['GRID_TRIPPED'])
  bench.obey(bench.nowMs + 290_000)
  bench.obey(bench.nowMs + 100, { gridFrequencyHz: 50.2 })
  const wellMs = bench.nowMs + 100
  bench.obey(wellMs + 299_900)
  assert.equal(bench.kind, 'TRIPPED')
  bench.obey(wellMs + 300_000)
  assert.equal(bench.kind, 'RAMPING')
  bench.obey(wellMs + 360_000)
  assert.ok(bench.limitW > 1_900 && bench.limitW <= 2_000, `${bench.limitW} W after a minute`)
})

test('a gap in telemetry starts the wait to enter service anew', () => {
  const { bench } = disturbed({}, { gridFrequencyHz: 47 }, 1)
  bench.obey(bench.nowMs + 200_000)
  bench.pass(bench.nowMs + 1_000)
  bench.obey(bench.nowMs + 200_000)
  assert.equal(bench.kind, 'TRIPPED')
})

test('a trip runs its clearing time out even when telemetry falls silent', () => {
  const bench = Bench.discharging({ telemetry: { staleMs: 1_000 } })
  bench.telemetry(10_020, { gridVoltageV: 290 })
  bench.pass(10_181)
  assert.equal(bench.kind, 'TRIPPED')
})

test('voltage and frequency may be required', () => {
  const unmeasured = { gridVoltageV: undefined } as object
  const bench = Bench.discharging({ grid: { required: true } })
  bench.obey(12_500, unmeasured)
  assert.deepEqual([bench.kind, bench.state.flags], ['PAUSED_UNMEASURED', ['GRID_NOT_MEASURED']])
  const free = Bench.discharging()
  free.obey(20_000, unmeasured)
  assert.equal(free.kind, 'DISCHARGING')
})

test('settings of the grid operator are taken, and refused where they make no sense', () => {
  const { outAfterMs } = disturbed(
    { grid: { trip: { OV1: { threshold: 1.06, clearingMs: 500 } } } },
    { gridVoltageV: 230 * 1.07 },
    1,
  )
  assert.equal(outAfterMs, 500)
  const refused = (grid: object): void => {
    assert.throws(() => parseConfig(guardConfigSchema, { grid }), { code: 'CONFIG_INVALID' }, JSON.stringify(grid))
  }
  refused({ trip: { OV1: { threshold: 1.3 } } })
  refused({ trip: { UV1: { threshold: 0.95 } } })
  refused({ trip: { UV1: { clearingMs: 5_000 } } })
  refused({ trip: { UV2: { threshold: 0.6 } } })
  refused({ trip: { OV9: {} } })
  refused({ nominalHz: 55 })
})
