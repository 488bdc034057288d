import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeviceClock } from '../../../gateway/mqtt/deviceClock.ts'
import { CLOCK_SPAN_MS } from '../../../gateway/mqtt/limits.ts'
import { fc } from '../../support/property.ts'

/** Messages of a device measured every 200 ms, each so long under way, its clock ahead by `aheadMs`. */
function ages(delays: readonly number[], aheadMs: number): { ages: (number | undefined)[]; clock: DeviceClock } {
  const clock = new DeviceClock()
  let arrivedMs = 0
  return {
    clock,
    ages: delays.map((delayMs, i) => {
      const measuredMs = 1_000_000 + i * 200
      // One connection: nothing overtakes.
      arrivedMs = Math.max(arrivedMs, measuredMs + delayMs)
      return clock.age({ atMs: measuredMs + aheadMs, wallMs: arrivedMs, steadyMs: arrivedMs - 77_777 })
    }),
  }
}

const delays = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 100 })

/** What delays become when nothing overtakes. */
function queued(given: readonly number[]): number[] {
  let arrivedMs = 0
  return given.map((delay, i) => {
    arrivedMs = Math.max(arrivedMs, i * 200 + delay)
    return arrivedMs - i * 200
  })
}

test('with clocks that agree, the age is the time under way', () => {
  fc.assert(fc.property(delays, (given) => assert.deepEqual(ages(given, 0).ages, queued(given))))
})

test('a clock behind makes it older, never younger', () => {
  fc.assert(
    fc.property(delays, fc.integer({ min: 1, max: 100_000 }), (given, behind) => {
      const expected = queued(given)
      for (const [i, age] of ages(given, -behind).ages.entries()) assert.equal(age, expected[i]! + behind)
    }),
  )
})

test('a clock ahead hides no delay but the one that all messages have', () => {
  fc.assert(
    fc.property(delays, fc.integer({ min: 1, max: 100_000 }), (given, ahead) => {
      const expected = queued(given)
      const { ages: seen } = ages(given, ahead)
      for (const [i, age] of seen.entries()) {
        const quickest = Math.min(...expected.slice(0, i + 1))
        assert.ok(age! >= expected[i]! - quickest, `${age} of ${expected[i]}`)
        assert.ok(age! <= expected[i]!)
      }
    }),
  )
})

test('a clock that is off by more than 50 ms is told, and only then', () => {
  assert.equal(ages([3, 1, 2], 40).clock.aheadMs, undefined)
  assert.equal(ages([3, 1, 2], 60).clock.aheadMs, 59)
  assert.equal(ages([3, 1, 2], -60).clock.aheadMs, -61)
  assert.equal(new DeviceClock().aheadMs, undefined)
})

test('what is older than its predecessor is dropped, and a clock set back begins anew', () => {
  const clock = new DeviceClock()
  const at = (atMs: number, wallMs: number): number | undefined => clock.age({ atMs, wallMs, steadyMs: wallMs })
  assert.equal(at(10_000, 10_005), 5)
  assert.equal(at(9_900, 10_010), undefined)
  assert.equal(at(10_000, 10_010), 10)
  assert.equal(at(4_000, 10_020), 6_020)
  // Behind now by 6 s: old, but not out of order.
  assert.equal(at(4_200, 10_220), 6_020)
})

test('the quickest message is forgotten after two spans: a path that became longer for good is not stale for ever', () => {
  const clock = new DeviceClock()
  const aheadMs = 10_000
  const at = (measuredMs: number, delayMs: number): number | undefined =>
    clock.age({ atMs: measuredMs + aheadMs, wallMs: measuredMs + delayMs, steadyMs: measuredMs + delayMs })
  assert.equal(at(1_000, 5), 0)
  assert.equal(at(2_000, 105), 100)
  assert.equal(at(2_000 + CLOCK_SPAN_MS, 105), 100)
  assert.equal(at(2_000 + 2 * CLOCK_SPAN_MS, 105), 0)
})
