import assert from 'node:assert/strict'
import { test } from 'node:test'
import { slotWord } from '../../protocol/descriptor.ts'
import { LaneRules, NONE, Slots, slotWordTimes } from '../../protocol/laneRules.ts'
import { encodeTariff } from '../../protocol/tariff.ts'
import { randomTariff } from '../support/generators/lane.ts'
import { Random } from '../support/generators/random.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { fc } from '../support/property.ts'

test('slots keep their descriptors while the arrays grow, and refuse what is out of order', () => {
  const slots = new Slots(3)
  for (let first = 0; first < 200; first += 5) {
    slots.append({ firstSlot: first, activeFrom: first, descriptors: Uint8Array.from({ length: 15 }, () => first) })
  }
  for (let slot = 0; slot < 200; slot++) {
    const first = slot - (slot % 5)
    assert.deepEqual(slots.descriptor(slot), new Uint8Array(3).fill(first))
    assert.equal(slots.activeFrom[slot], first)
  }
  assert.throws(() => slots.descriptor(200), RangeError)
  assert.throws(() => slots.append({ firstSlot: 199, activeFrom: 0, descriptors: new Uint8Array(3) }), /out of order/)
  assert.throws(() => slots.append({ firstSlot: 200, activeFrom: 0, descriptors: new Uint8Array(4) }), /multiple/)
  assert.throws(() => slots.end({ slot: 200, endsAt: 1 }), /empty/)
})

test('a slot is active within its times, both ends included', () => {
  const slots = new Slots(1)
  slots.append({ firstSlot: 0, activeFrom: 100, descriptors: new Uint8Array(1) })
  slots.end({ slot: 0, endsAt: 200 })
  assert.ok(slots.isActive(0, 300, 100, 200))
  assert.ok(slots.isActive(0, 100, 100, 200))
  assert.ok(!slots.isActive(0, 300, 99, 200))
  assert.ok(!slots.isActive(0, 300, 100, 201))
  assert.ok(!slots.isActive(0, 99, 100, 200))
  assert.ok(!slots.isActive(1, 300, 100, 200))
})

test('the newest version and checkpoint in force are found, or none', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(50), { maxLength: 6 }), fc.nat(60), (starts, now) => {
      const rules = new LaneRules(P256_LAYOUT)
      starts.sort((a, b) => a - b)
      for (const [i, start] of starts.entries()) {
        rules.applyTariffSet({ version: i, fromPeriod: start, tariff: encodeTariff(randomTariff(new Random(i))) })
        rules.applyCheckpointAdded({ index: i, effectiveFrom: start, fundedMicro: BigInt(i + 1) })
      }
      const inForce = starts.filter((start) => start <= now).length - 1
      assert.equal(rules.tariffVersion(now), inForce === -1 ? NONE : inForce)
      assert.equal(rules.fundingIndex(now), inForce === -1 ? NONE : inForce)
      assert.equal(rules.fundedMicro(now), BigInt(inForce + 1))
    }),
  )
})

test('events out of order are refused; a checkpoint of the same block replaces the last', () => {
  const rules = new LaneRules(P256_LAYOUT)
  const tariff = encodeTariff(randomTariff(new Random(0)))
  assert.throws(() => rules.applyTariffSet({ version: 1, fromPeriod: 0, tariff }), /out of order/)
  assert.throws(() => rules.applyCheckpointAdded({ index: 1, effectiveFrom: 0, fundedMicro: 0n }), /out of order/)
  rules.applyCheckpointAdded({ index: 0, effectiveFrom: 5, fundedMicro: 1n })
  rules.applyCheckpointAdded({ index: 0, effectiveFrom: 5, fundedMicro: 2n })
  assert.equal(rules.fundedMicro(5), 2n)
})

test('a period without a price has none; a correction replaces', () => {
  const rules = new LaneRules(P256_LAYOUT)
  rules.applyPricesSet({ firstPeriod: 10, prices: [1, 2, 3] })
  rules.applyPricesSet({ firstPeriod: 11, prices: [0] })
  assert.deepEqual(
    [9, 10, 11, 12, 13].map((period) => rules.priceNano(period)),
    [0, 1, 0, 3, 0],
  )
})

test('times read back from a slot word', () => {
  const word = Buffer.from(slotWord(new Uint8Array(85), 7, 9).slice(2), 'hex')
  assert.deepEqual(slotWordTimes(word), { activeFrom: 7, endsAt: 9 })
})
