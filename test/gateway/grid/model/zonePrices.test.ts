import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GridPicture, PriceInterval } from '../../../../gateway/grid/model/gridEvent.ts'
import { coveredSeconds, periodPrice } from '../../../../gateway/grid/model/periodPrices.ts'
import { divideFloor, nanoFloor, parsePriceFloor, scaledPriceFloor } from '../../../../gateway/grid/model/price.ts'
import { sweep } from '../../../../gateway/grid/model/sweep.ts'
import { verdictOf, type ZoneRules } from '../../../../gateway/grid/model/zonePrices.ts'
import { PriceBook } from '../../../../gateway/grid/publisher/priceBook.ts'
import { runsOf } from '../../../../gateway/grid/publisher/priceRuns.ts'
import { MAX_PRICE_NANO } from '../../../../protocol/limits.ts'
import { fc } from '../../../support/property.ts'
import { event, price } from '../support/settableSource.ts'

const PERIOD = 900
const span = fc
  .tuple(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 2_000 }))
  .map(([start, length]) => ({ start, end: start + length }))

test('a period’s price is the exact average over its seconds, rounded down, and none where a second is uncovered', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 700 }), fc.bigInt({ min: -50n, max: 50n }), fc.boolean()), {
        maxLength: 8,
      }),
      (pieces) => {
        const intervals: PriceInterval[] = []
        let at = 0
        for (const [length, attoPerWh, isGap] of pieces) {
          if (!isGap) intervals.push({ start: at, end: at + length, attoPerWh, opensGate: false })
          at += length
        }
        const seconds = Array.from(
          { length: PERIOD },
          (_, i) => intervals.find(({ start, end }) => start <= PERIOD + i && PERIOD + i < end)?.attoPerWh,
        )
        const found = periodPrice(intervals, 1)
        if (seconds.includes(undefined)) assert.equal(found, undefined)
        else {
          const sum = seconds.reduce<bigint>((total, value) => total + value!, 0n)
          assert.equal(found?.attoPerWh, divideFloor(sum, 900n))
        }
      },
    ),
  )
})

test('covered seconds and the sweep, against counting seconds', () => {
  fc.assert(
    fc.property(fc.array(span, { maxLength: 8 }), (spans) => {
      const isIn = (second: number): boolean => spans.some(({ start, end }) => start <= second && second < end)
      const counted = Array.from({ length: PERIOD }, (_, i) => PERIOD + i).filter(isIn).length
      assert.equal(coveredSeconds(spans, 1), counted)
      const indexed = spans.map((found, index) => ({ ...found, index }))
      const pieces = sweep(indexed, (covering) => covering.map(({ index }) => index).join())
      for (let second = 0; second < 6_000; second += 37) {
        const wanted = indexed.filter(({ start, end }) => start <= second && second < end).map(({ index }) => index)
        const piece = pieces.filter(({ start, end }) => start <= second && second < end)
        assert.equal(piece.length, wanted.length === 0 ? 0 : 1)
        assert.equal(piece[0]?.value ?? '', wanted.join())
      }
    }),
  )
})

test('prices never round up, and never to more than the protocol holds', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), (atto) => {
      const nano = nanoFloor(atto)
      if (atto <= 0n) assert.equal(nano, 0)
      else if (nano === undefined) assert.ok(atto >= BigInt(MAX_PRICE_NANO) * 10n ** 9n)
      else assert.ok(BigInt(nano) * 10n ** 9n <= atto && atto < BigInt(nano + 1) * 10n ** 9n)
    }),
  )
  assert.equal(parsePriceFloor('0.1234567890123456', 'kWh'), 123_456_789_012_345n)
  assert.equal(parsePriceFloor('-0.0000000000000001', 'kWh'), -1n)
  // 3 331 × 10^-5 $ a kWh.
  assert.equal(nanoFloor(scaledPriceFloor(3_331, -5 - 3)!), 33_310)
  assert.equal(scaledPriceFloor(1, 41), undefined)
})

const rules: ZoneRules = { prices: ['a', 'b'], events: ['u'], pricing: 'event-only', partialPeriods: 'exclude' }
const picture = (over: Partial<GridPicture>): GridPicture => ({ isKnown: true, events: [], prices: [], ...over })

test('precedence, gate and gaps', () => {
  const pictures = new Map([
    ['a', picture({ prices: [price(2, 1, 111)] })],
    ['b', picture({ prices: [price(0, 5, 222)] })],
    ['u', picture({ events: [event('x', 1, 3)] })],
  ])
  const verdict = (period: number, over: Partial<ZoneRules> = {}) => verdictOf({ ...rules, ...over }, pictures, period)
  assert.deepEqual(verdict(0), { kind: 'closed' })
  assert.deepEqual(verdict(1), { kind: 'price', nano: 222, source: 'b' })
  assert.deepEqual(verdict(2), { kind: 'price', nano: 111, source: 'a' })
  assert.deepEqual(verdict(0, { pricing: 'always' }), { kind: 'price', nano: 222, source: 'b' })
  assert.deepEqual(verdict(9, { pricing: 'always' }), { kind: 'unpriced' })
  assert.deepEqual(verdict(1, { prices: ['a'] }), { kind: 'unpriced' })
  pictures.set('b', picture({ prices: [price(0, 5, MAX_PRICE_NANO)] }))
  assert.deepEqual(verdict(1), { kind: 'tooHigh', source: 'b' })
  // What has not answered may still say that there is an event.
  pictures.set('u', picture({ isKnown: false }))
  assert.deepEqual(verdict(0), { kind: 'unknown' })
})

test('a period that an event covers in part is paid in full or not at all', () => {
  const half = { ...event('x', 1, 1) }
  const [control] = half.controls
  const nominal = { start: PERIOD + 60, end: 2 * PERIOD }
  const events = [{ ...half, controls: [{ ...control!, nominal }] }]
  const pictures = new Map([
    ['a', picture({ prices: [price(0, 5, 5)] })],
    ['b', picture({})],
    ['u', picture({ events })],
  ])
  assert.equal(verdictOf(rules, pictures, 1).kind, 'closed')
  assert.equal(verdictOf({ ...rules, partialPeriods: 'include' }, pictures, 1).kind, 'price')
})

test('a limit is no reason to pay; a price that came as an event is', () => {
  const limit = { ...event('x', 1, 1), controls: [{ ...event('x', 1, 1).controls[0]!, kind: 'exportLimitW' as const }] }
  const pictures = new Map([
    ['a', picture({ prices: [{ ...price(2, 1, 9), opensGate: true }, price(3, 1, 9)] })],
    ['b', picture({ prices: [price(1, 1, 9)] })],
    ['u', picture({ events: [limit] })],
  ])
  assert.deepEqual(
    [1, 2, 3].map((period) => verdictOf(rules, pictures, period).kind),
    ['closed', 'price', 'closed'],
  )
})

test('runs hold every period once, are consecutive, bounded, and do not cross the split', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 0, max: 60 })),
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 1, max: 9 }),
      (periods, splitAt, maxPeriods) => {
        const wanted = new Map(periods.map((period) => [period, period * 7]))
        const runs = runsOf(wanted, { splitAt, maxPeriods })
        const written = runs.flatMap(({ firstPeriod, nano }) =>
          nano.map((value, i) => [firstPeriod + i, value] as const),
        )
        assert.deepEqual(new Map(written), new Map([...wanted].sort(([a], [b]) => a - b)))
        assert.equal(written.length, wanted.size)
        for (const { firstPeriod, nano } of runs) {
          assert.ok(nano.length <= maxPeriods)
          assert.ok(firstPeriod >= splitAt || firstPeriod + nano.length <= splitAt)
        }
      },
    ),
  )
})

test('the price book: late is what was known and due, missed is what froze; each is told once', () => {
  const book = new PriceBook({ leadSeconds: 3_600, graceSeconds: 300 })
  const start = 100 * PERIOD
  const wanted = new Map([[100, { kind: 'price', nano: 7, source: 'a' } as const]])
  const empty = new Map([[100, 0]])
  assert.deepEqual(book.look(start - 5_000, wanted, empty).late, [])
  assert.deepEqual([...book.look(start - 5_000, wanted, empty).toWrite], [[100, 7]])
  assert.deepEqual(book.look(start - 3_601, wanted, empty).late, [])
  assert.deepEqual(book.look(start - 3_600, wanted, empty).late, [100])
  assert.deepEqual(book.look(start - 3_600, wanted, new Map([[100, 7]])).late, [])
  // L1 takes a price up to half an hour before, to the second.
  assert.equal(book.look(start - 1_800, wanted, empty).toWrite.size, 1)
  const frozen = book.look(start - 1_799, wanted, empty)
  assert.equal(frozen.toWrite.size, 0)
  assert.deepEqual(frozen.missed, [{ period: 100, wantedNano: 7, onL1Nano: 0, wasInTime: true }])
  assert.deepEqual(book.look(start - 1_700, wanted, empty).missed, [])
  // Announced when it was too late.
  const late = new Map([[101, { kind: 'price', nano: 9, source: 'a' } as const]])
  const [unannounced] = book.look(start, late, new Map([[101, 0]])).missed
  assert.equal(unannounced?.wasInTime, false)
  assert.deepEqual(book.look(start, new Map([[103, { kind: 'unpriced' } as const]]), new Map()).missing, [103])
})
