import assert from 'node:assert/strict'
import { test } from 'node:test'
import { distanceM } from '../../../evse/position/geofence.ts'
import { fc } from '../../support/property.ts'

const position = fc.record({
  lat: fc.double({ min: -90, max: 90, noNaN: true }),
  lon: fc.double({ min: -180, max: 180, noNaN: true }),
})

test('known distances', () => {
  // A degree of latitude on this sphere is 111 195 m; of longitude at 60° half of it.
  assert.ok(Math.abs(distanceM({ lat: 52, lon: 13 }, { lat: 53, lon: 13 }) - 111_195) < 1)
  assert.ok(Math.abs(distanceM({ lat: 60, lon: 13 }, { lat: 60, lon: 13.001 }) - 55.6) < 0.1)
  assert.ok(distanceM({ lat: 10, lon: 179.9999 }, { lat: 10, lon: -179.9999 }) < 25)
})

test('a distance is symmetric, zero at home, and at most half around', () => {
  fc.assert(
    fc.property(position, position, (a, b) => {
      const there = distanceM(a, b)
      assert.ok(Math.abs(there - distanceM(b, a)) < 1e-3)
      assert.ok(there >= 0 && there <= 20_015_200)
      assert.equal(distanceM(a, a), 0)
    }),
  )
})
