import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scaledFloor } from '../../runtime/decimal.ts'
import { fc } from '../support/property.ts'

test('scaledFloor keeps digits that a float would lose', () => {
  assert.equal(scaledFloor('0.03331091', 6), 33_310n)
  assert.equal(scaledFloor('6.146', 3), 6_146n)
  assert.equal(scaledFloor('23.0166666666667', 3), 23_016n)
  assert.equal(scaledFloor('4', 3), 4_000n)
  assert.equal(scaledFloor('9007199254740993.1', 1), 90_071_992_547_409_931n)
})

test('scaledFloor rounds negative values down, away from zero', () => {
  assert.equal(scaledFloor('-0.0000001', 6), -1n)
  assert.equal(scaledFloor('-0.5', 1), -5n)
})

test('scaledFloor refuses what is no plain decimal', () => {
  for (const text of ['', '.', '1e3', '1,5', 'NaN', '0x10', '--1', '1.2.3'])
    assert.equal(scaledFloor(text, 3), undefined)
})

test('scaledFloor agrees with exact arithmetic for every decimal', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }), (millionths) => {
      const magnitude = millionths < 0n ? -millionths : millionths
      const text = `${millionths < 0n ? '-' : ''}${magnitude / 1_000_000n}.${String(magnitude % 1_000_000n).padStart(6, '0')}`
      const floor = millionths / 1_000n - (millionths % 1_000n < 0n ? 1n : 0n)
      assert.equal(scaledFloor(text, 3), floor)
    }),
  )
})
