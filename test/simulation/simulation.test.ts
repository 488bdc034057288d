import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crashEverywhere } from './diskCrashes.ts'
import { STORE_FAULTS } from './faultyDatabase.ts'
import { drawPlan } from './plan.ts'
import { play } from './play.ts'
import { crashSender } from './sendCrashes.ts'

test('a seed is a plan, and another seed another', () => {
  assert.deepEqual(drawPlan(7, 40), drawPlan(7, 40))
  assert.notDeepEqual(drawPlan(7, 40), drawPlan(8, 40))
  // Every kind of fault is met in one round of the deck.
  assert.equal(new Set(drawPlan(7, 19).steps.map(({ fault }) => fault.kind)).size, 14)
})

for (const fault of STORE_FAULTS) {
  test(`the store at each of its calls: ${fault}`, async () => {
    const { runs, calls } = await crashEverywhere(1, [fault])
    assert.ok(calls > 20, `only ${calls} calls`)
    console.log({ fault, runs })
  })
}

test('the transaction manager, ended at each of its writes and broadcasts', async () => {
  console.log(await crashSender())
})

/** [seed, steps]: small enough for every change, of calldata twice and of blobs once; the nightly run plays many at length. */
const PLAYED = [
  [3, 9],
  [1, 10],
  [22, 10],
] as const

test('every kind of fault is met by the seeds that are played', () => {
  const met = PLAYED.flatMap(([seed, steps]) => drawPlan(seed, steps).steps.map(({ fault }) => fault.kind))
  assert.deepEqual(new Set(met), new Set(drawPlan(7, 19).steps.map(({ fault }) => fault.kind)))
  assert.deepEqual(new Set(PLAYED.map(([seed, steps]) => drawPlan(seed, steps).data)), new Set(['blob', 'calldata']))
})

for (const [seed, steps] of PLAYED) {
  test(`seed ${seed}, ${steps} steps`, { timeout: 600_000 }, async () => {
    console.log(await play(drawPlan(seed, steps)))
  })
}
