import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroupCheck } from '../../../sequencer/verify/groupCheck.ts'
import { Random } from '../../support/generators/random.ts'

const BATCH = 128

/** Signatures that know of themselves whether they are good, and what looking at them costs, in units of half a verification alone. */
function counted() {
  const cost = { units: 0 }
  const check = new GroupCheck<{ good: boolean }>({
    many: (items) => {
      cost.units += items.length + 1.5
      return items.every(({ good }) => good)
    },
    one: ({ good }) => {
      cost.units += 2
      return good
    },
  })
  return { check, cost }
}

function batch(random: Random, badShare: number): { good: boolean }[] {
  return Array.from({ length: random.int(1, BATCH) }, () => ({ good: !random.chance(badShare) }))
}

test('whatever the mixture, exactly the good ones are called good', () => {
  const random = new Random(11)
  const { check } = counted()
  for (const badShare of [0, 0.001, 0.01, 0.1, 0.5, 0.9, 1, 0.5, 0.01, 0]) {
    for (let i = 0; i < 40; i++) {
      const items = batch(random, badShare)
      const good: unknown[] = []
      check.run(items, (item) => good.push(item))
      assert.deepEqual(
        good,
        items.filter((item) => item.good),
      )
    }
  }
})

test('all good, a batch is one group; in a flood of bad ones nothing costs much more than each alone', () => {
  const cost = (badShare: number, batches: number) => {
    const { check, cost } = counted()
    const random = new Random(3)
    for (let i = 0; i < batches; i++) {
      const items = Array.from({ length: BATCH }, () => ({ good: !random.chance(badShare) }))
      check.run(items, () => {})
    }
    return cost.units / (batches * BATCH * 2)
  }
  assert.equal(cost(0, 10), (BATCH + 1.5) / (BATCH * 2))
  assert.ok(cost(1, 100) < 1.05, `all bad: ${cost(1, 100)}`)
  assert.ok(cost(1, 1) < 2, `the first batch of a flood: ${cost(1, 1)}`)
  assert.ok(cost(0.01, 100) < 0.75, `1 % bad: ${cost(0.01, 100)}`)
  for (const badShare of [0.001, 0.03, 0.1, 0.2, 0.5]) {
    assert.ok(cost(badShare, 100) < 1.3, `${badShare} bad: ${cost(badShare, 100)}`)
  }
})

test('after a flood groups come back', () => {
  const { check, cost } = counted()
  const items = (good: boolean) => Array.from({ length: BATCH }, () => ({ good }))
  for (let i = 0; i < 10; i++) check.run(items(false), () => {})
  for (let i = 0; i < 20; i++) check.run(items(true), () => {})
  cost.units = 0
  check.run(items(true), () => {})
  assert.ok(cost.units < BATCH * 1.1, `${cost.units}`)
})
