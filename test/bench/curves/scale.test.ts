import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exact, fromZero, logarithmic, short, through } from '../../../bench/curves/scale.ts'

const PAPER = { from: 300, to: 100 }

test('from zero: round numbers up to what there is, and nothing beyond the paper', () => {
  const scale = fromZero(170_000, PAPER, 5)
  assert.deepEqual(scale.ticks, [0, 50_000, 100_000, 150_000])
  assert.deepEqual([0, 85_000, 170_000, 1e9].map(scale.at), [300, 200, 100, 100])
  assert.deepEqual(fromZero(1.1, PAPER, 3).ticks, [0, 0.5, 1])
})

test('by logarithms: round numbers around all values, decades alone when there are many', () => {
  const near = logarithmic([92_000, 1_070_000], PAPER)
  assert.deepEqual(near.ticks, [50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000])
  assert.equal(near.at(50_000), 300)
  assert.equal(near.at(2_000_000), 100)
  const far = logarithmic([0.3, 4_000], PAPER)
  assert.deepEqual(far.ticks, [0.1, 1, 10, 100, 1_000])
  assert.equal(far.at(0.1), 300)
  assert.ok(Math.abs(far.at(10) - far.at(1) - (far.at(1_000) - far.at(100))) < 1e-9)
})

test('through values: evenly, or by factors', () => {
  const even = through([1, 2, 4], false, { from: 0, to: 300 })
  assert.deepEqual([1, 2, 4].map(even.at), [0, 100, 300])
  const factors = through([1, 16, 256], true, { from: 0, to: 300 })
  assert.deepEqual(
    [1, 16, 256].map((x) => Math.round(factors.at(x))),
    [0, 150, 300],
  )
  assert.deepEqual(factors.ticks, [1, 16, 256])
})

test('numbers have three digits at most, and all of them on an axis of sizes', () => {
  const numbers = [0, 0.0432, 0.914, 7.38, 15.04, 99.7, 999, 999.7, 1_543, 159_400, 999_700, 1_070_000]
  assert.deepEqual(numbers.map(short), [
    '0',
    '0.043',
    '0.91',
    '7.38',
    '15',
    '100',
    '999',
    '1 k',
    '1.54 k',
    '159 k',
    '1 M',
    '1.07 M',
  ])
  assert.deepEqual([256, 1_000, 1_024, 100_000].map(exact), ['256', '1 k', '1,024', '100 k'])
})
