import assert from 'node:assert/strict'
import { test } from 'node:test'
import { addAmount, exceeds, fromWideSum, readWideSum, toWideSum, writeWideSum } from '../../protocol/wideSum.ts'
import { fc } from '../support/property.ts'

const HALF = 2n ** 48n
const money = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 96n - 1n }),
  fc.constantFrom(0n, HALF - 1n, HALF, HALF + 1n, 2n ** 96n - 1n),
)
const amount = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 31 }),
  fc.maxSafeNat().map((n) => n % 2 ** 52),
)

test('adds as unbounded integers do', () => {
  fc.assert(
    fc.property(money, amount, (total, more) => {
      const wide = toWideSum(total)
      addAmount(wide, more, wide)
      assert.equal(fromWideSum(wide), total + BigInt(more))
      assert.ok(wide.lo < 2 ** 48)
    }),
  )
})

test('compares as unbounded integers do', () => {
  fc.assert(
    fc.property(money, fc.oneof(money, fc.constantFrom(-1n, 0n, 1n)), (a, other) => {
      const b = other < 2n && a > 0n ? a + other : other < 0n ? 0n : other
      assert.equal(exceeds(toWideSum(a), toWideSum(b)), a > b)
    }),
  )
})

test('takes 12 big-endian bytes', () => {
  fc.assert(
    fc.property(money, (total) => {
      const bytes = new Uint8Array(14).fill(0xaa)
      writeWideSum(bytes, 1, toWideSum(total))
      assert.equal(Buffer.from(bytes).toString('hex'), `aa${total.toString(16).padStart(24, '0')}aa`)
      const back = { hi: -1, lo: -1 }
      readWideSum(bytes, 1, back)
      assert.equal(fromWideSum(back), total)
    }),
  )
})
