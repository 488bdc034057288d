import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WakeWheel } from '../../../gateway/control/wakeWheel.ts'
import { fc } from '../../support/property.ts'

test('everybody is woken within a slot of the time, never before it, whatever is asked for and however time jumps', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          passMs: fc.oneof(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 2_000 })),
          asks: fc.array(fc.tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: -50, max: 3_000 })), {
            maxLength: 6,
          }),
        }),
        { maxLength: 60 },
      ),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 2, max: 40 }),
      (rounds, slotMs, slots) => {
        let nowMs = 12_345
        const wheel = new WakeWheel({ count: 8, slotMs, slots, nowMs })
        const due = new Array<number>(8).fill(Number.POSITIVE_INFINITY)
        for (const { passMs, asks } of rounds) {
          for (const [index, inMs] of asks) {
            // What is overdue when it is asked for is due now.
            due[index] = nowMs + Math.max(0, inMs)
            wheel.schedule(index, nowMs + inMs)
          }
          // Time passes slot by slot, as the timer lets it, or in one jump.
          const steps = passMs % 2 === 0 ? 1 : Math.ceil(passMs / slotMs)
          for (let step = 1; step <= steps; step++) {
            const atMs = nowMs + (passMs * step) / steps
            wheel.advance(atMs, (index) => {
              if (due[index]! > atMs) wheel.schedule(index, due[index]!)
              else due[index] = Number.POSITIVE_INFINITY
            })
          }
          nowMs += passMs
          for (const at of due)
            assert.ok(at > nowMs - slotMs, `due at ${at}, not woken at ${nowMs} (slots of ${slotMs})`)
        }
      },
    ),
  )
})

test('deadlines that are pushed on every time cost no entry each', () => {
  const wheel = new WakeWheel({ count: 1, slotMs: 10, slots: 64, nowMs: 0 })
  let looks = 0
  let due = 0
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) {
    due = nowMs + 200
    wheel.schedule(0, due)
    wheel.advance(nowMs, () => {
      looks++
      wheel.schedule(0, due)
    })
  }
  assert.ok(looks <= 51, `${looks} looks in ten seconds`)
})

test('infinity is never', () => {
  const wheel = new WakeWheel({ count: 1, slotMs: 10, slots: 4, nowMs: 0 })
  wheel.schedule(0, Number.POSITIVE_INFINITY)
  wheel.advance(1e6, () => assert.fail('woken'))
})
