import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Demand } from '../../../../gateway/control/demand.ts'
import { demandRuleSchema } from '../../../../gateway/grid/demand/config.ts'
import { DemandFeed } from '../../../../gateway/grid/demand/demandFeed.ts'
import { sharesOf, wantedAt } from '../../../../gateway/grid/demand/wanted.ts'
import { CONTROL_KINDS, type Control, type GridEvent } from '../../../../gateway/grid/model/gridEvent.ts'
import { silentLogger } from '../../../../runtime/log.ts'
import { fc } from '../../../support/property.ts'
import { SettableSource } from '../support/settableSource.ts'
import { until } from '../support/waiting.ts'

const EVSES = [
  { name: 'a', ratedW: 10_000 },
  { name: 'b', ratedW: 30_000 },
]

function eventOf(
  id: string,
  primacy: number,
  start: number,
  end: number,
  points: Partial<Record<Control['kind'], number>>,
): GridEvent {
  const span = { start, end }
  const controls = Object.entries(points).map(([kind, value]) => ({
    kind: kind as Control['kind'],
    value,
    nominal: span,
    effective: span,
  }))
  return { source: 'utility', id, description: undefined, state: 'active', primacy, controls }
}

const shares = (events: GridEvent[], rule: { watts?: 'split' | 'each'; stressBps?: number } = {}) => {
  const { shares: found, isLimitOpen } = sharesOf(wantedAt(events, 50), EVSES, {
    watts: 'split',
    stressBps: 0,
    ...rule,
  })
  return { watts: found.map(({ watts }) => watts), isLimitOpen }
}

test('watts are shared out by rated power, each bounded by it and by limits', () => {
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { targetW: 20_000 })]).watts, [5_000, 15_000])
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { targetW: 20_000 })], { watts: 'each' }).watts, [10_000, 20_000])
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { targetBps: 5_000 })]).watts, [5_000, 15_000])
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { targetW: 20_000, exportLimitW: 4_000 })]).watts, [1_000, 3_000])
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { targetW: -5_000 })]).watts, [0, 0], 'to charge is not ours')
  assert.deepEqual(shares([eventOf('x', 1, 60, 100, { targetW: 20_000 })]).watts, [undefined, undefined])
})

test('a separation and a limit of nothing mean nothing; a limit without a target is told', () => {
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { targetW: 9_000, connect: 0 })]).watts, [0, 0])
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { exportLimitW: 0 })]), { watts: [0, 0], isLimitOpen: false })
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { exportLimitW: 100 })]).isLimitOpen, true)
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { maxBps: 10_000 })]).isLimitOpen, false)
})

test('the strongest program counts, stress as configured', () => {
  const events = [eventOf('weak', 5, 0, 100, { targetW: 8_000 }), eventOf('strong', 2, 0, 100, { targetW: 4_000 })]
  assert.deepEqual(shares(events).watts, [1_000, 3_000])
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { gate: 2 })]).watts, [undefined, undefined])
  assert.deepEqual(shares([eventOf('x', 1, 0, 100, { gate: 2 })], { stressBps: 2_500 }).watts, [2_500, 7_500])
})

test('shares never exceed what is asked, the limits, or an EVSE', () => {
  const point = fc.record({
    kind: fc.constantFrom(...CONTROL_KINDS),
    value: fc.integer({ min: -40_000, max: 90_000 }),
  })
  const evses = fc.array(fc.integer({ min: 0, max: 50_000 }), { minLength: 1, maxLength: 9 })
  fc.assert(
    fc.property(fc.array(point, { maxLength: 8 }), evses, (points, rated) => {
      const events = points.map(({ kind, value }, i) => eventOf(`${i}`, i, 0, 100, { [kind]: value }))
      const wanted = wantedAt(events, 50)
      const fleet = rated.map((ratedW, i) => ({ name: `${i}`, ratedW }))
      const { shares: found } = sharesOf(wanted, fleet, { watts: 'split', stressBps: 10_000 })
      const total = found.reduce((sum, { watts = 0 }) => sum + watts, 0)
      found.forEach(({ watts = 0 }, i) => {
        assert.ok(Number.isInteger(watts) && watts >= 0 && watts <= rated[i]!)
        if (wanted.isSeparated) assert.equal(watts, 0)
      })
      const ratedTotal = rated.reduce((sum, watts) => sum + watts, 0)
      if (wanted.targetW !== undefined && ratedTotal > 0) assert.ok(total <= Math.max(0, wanted.targetW))
      if (wanted.limitW !== undefined && ratedTotal > 0) assert.ok(total <= Math.max(0, wanted.limitW))
    }),
  )
})

test('demands are given from the start of an event to its end, and withdrawn when it is called off', async () => {
  let nowMs = 1_000_000_000
  const at = nowMs / 1000
  const given: Demand[] = []
  const source = new SettableSource('utility', {})
  const feed = new DemandFeed([demandRuleSchema.parse({ source: 'utility', evses: ['a'] })], {
    sources: new Map([['utility', source]]),
    evses: () => EVSES,
    sink: (demand) => given.push(demand),
    log: silentLogger(),
    now: () => nowMs,
  })
  feed.start({ fail: (error) => assert.fail(String(error)) })
  try {
    source.set({ events: [eventOf('x', 1, at + 10, at + 20, { targetW: 4_000 })] })
    nowMs += 11_000
    source.set({ events: [eventOf('x', 1, at + 10, at + 20, { targetW: 4_000 })] })
    await until('the demand', () => given.length > 0)
    assert.deepEqual(given[0], {
      source: 'grid',
      evse: 'a',
      watts: 4_000,
      untilMs: (at + 20) * 1000,
      reason: 'utility: x',
    })
    assert.equal(feed.status().figures['watts asked'], 4_000)
    source.set({ events: [] })
    await until('the withdrawal', () => given.at(-1)?.untilMs === nowMs)
    assert.equal(given.at(-1)?.watts, 0)
  } finally {
    await feed.stop()
  }
})
