import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spreads } from '../../../bench/curves/curve.ts'
import { curves } from '../../../bench/curves/curves.ts'
import { chosenBy } from '../../../bench/run.ts'

test('a point is the median of its rounds, with the lowest and the highest', () => {
  const rounds = [3, 9, 4].map((cpu) => ({ cpu, wall: -cpu }))
  assert.deepEqual(spreads(rounds), {
    cpu: { median: 4, low: 3, high: 9 },
    wall: { median: -4, low: -9, high: -3 },
  })
})

test('every curve grows from left to right, beside its limit', () => {
  for (const { name, x, panels } of curves) {
    assert.deepEqual(
      x.values,
      [...x.values].sort((a, b) => a - b),
      name,
    )
    assert.ok(x.values.length >= 3 && x.values[0]! > 0, name)
    const roles = panels[0]!.series.map(({ role }) => role)
    assert.ok(roles.includes('limit') && roles.includes('real'), name)
  }
  assert.equal(new Set(curves.map(({ name }) => name)).size, curves.length)
})

test('EVSEs go to a million, workers beyond the cores of a small machine, batches from one', () => {
  const valuesOf = (name: string) => curves.find((curve) => curve.name === name)!.x.values
  assert.deepEqual(valuesOf('evses'), [1_000, 10_000, 100_000, 1_000_000])
  assert.deepEqual(valuesOf('workers'), [1, 2, 3, 4])
  for (const { name, x } of curves) if (name.startsWith('batch-')) assert.equal(x.values[0], 1)
})

test('a name stands for every curve that begins with it', () => {
  const named = (...only: string[]) => chosenBy({ only, curvesOnly: true }).curves.map(({ name }) => name)
  assert.deepEqual(named('batch'), ['batch-requests', 'batch-writes', 'batch-bls'])
  assert.deepEqual(named('evses', 'workers'), ['evses', 'evses-keys', 'workers'])
  assert.deepEqual(
    named(),
    curves.map(({ name }) => name),
  )
  assert.throws(() => named('p256-libp2p'), /no benchmark p256-libp2p; there are evses,/)
  assert.deepEqual(
    chosenBy({ only: ['p256-libp2p'] }).benchmarks.map(({ name }) => name),
    ['p256-libp2p'],
  )
})
