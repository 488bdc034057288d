import assert from 'node:assert/strict'
import { test } from 'node:test'
import { medians, meets, quantile, WARM_UPS } from '../../bench/benchmark.ts'
import { benchmarks } from '../../bench/benchmarks.ts'
import { benchDefaults } from '../../bench/defaults.ts'
import { runBench } from '../../bench/run.ts'

test('medians leave the warm-up out and go by each name', async () => {
  const seen: number[] = []
  const result = await medians(3, async (index) => {
    seen.push(index)
    return index < WARM_UPS ? { fast: 1e9, slow: 1e9 } : { fast: index, slow: -index }
  })
  assert.deepEqual(seen, [0, 1, 2, 3, 4])
  assert.deepEqual(result, { fast: WARM_UPS + 1, slow: -WARM_UPS - 1 })
})

test('a quantile is one of the values', () => {
  const values = Array.from({ length: 200 }, (_, i) => 200 - i)
  assert.equal(quantile(values, 0.99), 199)
  assert.equal(quantile([7], 0.99), 7)
  assert.ok(Number.isNaN(quantile([], 0.5)))
})

test('an aim is met at its bound', () => {
  assert.ok(meets(0.93, { atLeast: 0.93 }) && !meets(0.929, { atLeast: 0.93 }))
  assert.ok(meets(20, { atMost: 20 }) && !meets(20.1, { atMost: 20 }))
})

test('benchmarks have names of their own', () => {
  assert.equal(new Set(benchmarks.map(({ name }) => name)).size, benchmarks.length)
})

test('a benchmark that does not exist is refused', async () => {
  const run = { ...benchDefaults, only: ['settle-journal'], print: () => {} }
  await assert.rejects(runBench(run), /no benchmark settle-journal/)
})
