import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decodeTariff,
  encodeTariff,
  lastRowAtMost,
  type Tariff,
  tariffFrom,
  tariffProblem,
} from '../../protocol/tariff.ts'
import { randomTariff } from '../support/generators/lane.ts'
import { Random } from '../support/generators/random.ts'
import { fc } from '../support/property.ts'

const tariffs = fc.integer().map((seed) => randomTariff(new Random(seed)))

test('a tariff is 92 bytes as drawn in §15.1', () => {
  fc.assert(
    fc.property(tariffs, (tariff) => {
      const bytes = encodeTariff(tariff)
      const list = (values: readonly number[], width: number): string =>
        values.map((value) => value.toString(16).padStart(width * 2, '0')).join('')
      const drawn = [
        list([tariff.socToleranceBps, tariff.maxIncentiveBps], 2),
        list(tariff.powerW, 4),
        list(tariff.sessionIntervals, 4),
        list(tariff.tierBps, 2),
        list(tariff.thermalC, 1),
        list(tariff.thermalBps, 2),
      ]
      assert.equal(Buffer.from(bytes).toString('hex'), drawn.join(''))
      assert.deepEqual(decodeTariff(bytes), tariff)
    }),
  )
  assert.throws(() => decodeTariff(new Uint8Array(91)), RangeError)
})

test('what L1 refuses does not encode', () => {
  const good = randomTariff(new Random(1))
  const cases: readonly [Partial<Tariff>, RegExp][] = [
    [{ socToleranceBps: 16_384 }, /socToleranceBps/],
    [{ powerW: [1, 1, 1, 1] }, /powerW must start/],
    [{ sessionIntervals: [0, 5, 4, 9] }, /sessionIntervals must not fall/],
    [{ thermalC: [0, 1, 2, 3, 4, 5, 7, 6] }, /thermalC must not fall/],
  ]
  for (const [change, problem] of cases) {
    assert.match(tariffProblem({ ...good, ...change }) ?? '', problem)
    assert.throws(() => encodeTariff({ ...good, ...change }), problem)
  }
  assert.equal(tariffProblem(good), undefined)
})

test('numbers that do not fit their width do not encode', () => {
  const good = randomTariff(new Random(1))
  assert.throws(() => encodeTariff({ ...good, maxIncentiveBps: 0x10000 }), RangeError)
  assert.throws(() => encodeTariff({ ...good, socToleranceBps: -1 }), RangeError)
  assert.throws(() => encodeTariff({ ...good, tierBps: good.tierBps.with(3, 0x10000) }), RangeError)
  assert.throws(() => encodeTariff({ ...good, tierBps: good.tierBps.slice(1) }), RangeError)
  assert.throws(() => encodeTariff({ ...good, thermalBps: good.thermalBps.with(0, 0.5) }), RangeError)
  assert.throws(() => encodeTariff({ ...good, thermalC: good.thermalC.with(7, 256) }), RangeError)
  assert.throws(() => encodeTariff({ ...good, powerW: good.powerW.with(3, 2 ** 32) }), RangeError)
})

test('a lookup takes the last threshold that is reached', () => {
  const thresholds = fc
    .array(fc.nat(100), { minLength: 3, maxLength: 7 })
    .map((list) => [0, ...list.sort((a, b) => a - b)])
  fc.assert(
    fc.property(thresholds, fc.nat(120), (list, value) => {
      assert.equal(lastRowAtMost(list, value), list.filter((threshold) => threshold <= value).length - 1)
    }),
  )
})

test('short tables are filled with rows that nothing reaches', () => {
  const tariff = tariffFrom({
    socToleranceBps: 500,
    maxIncentiveBps: 20_000,
    tiers: {
      powerW: [0, 7_000],
      sessionIntervals: [0, 120, 240],
      bps: [
        [1, 2, 3],
        [4, 5, 6],
      ],
    },
    thermal: [
      { fromC: 0, bps: 10_000 },
      { fromC: 45, bps: 5_000 },
    ],
  })
  assert.equal(tariffProblem(tariff), undefined)
  assert.deepEqual(tariff.powerW, [0, 7_000, 0xffffffff, 0xffffffff])
  assert.deepEqual(tariff.tierBps, [1, 2, 3, 0, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0])
  assert.equal(lastRowAtMost(tariff.powerW, 0xfffffffe), 1)
  assert.equal(lastRowAtMost(tariff.thermalC, 150), 1)
})
