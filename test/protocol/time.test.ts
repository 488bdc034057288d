import assert from 'node:assert/strict'
import { test } from 'node:test'
import { intervalOf, periodOf, periodOfInterval, periodStartSeconds } from '../../protocol/time.ts'
import { fc } from '../support/property.ts'

test('a period is 60 intervals of 15 seconds since the epoch', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (seconds) => {
      assert.equal(intervalOf(seconds), (seconds - (seconds % 15)) / 15)
      assert.equal(periodOf(seconds), periodOfInterval(intervalOf(seconds)))
      const start = periodStartSeconds(periodOf(seconds))
      assert.ok(start <= seconds && seconds < start + 900)
    }),
  )
})
