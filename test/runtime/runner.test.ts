import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Runner } from '../../runtime/runner.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('what wakes it while it runs is served by one more run', async () => {
  const runs: PromiseWithResolvers<void>[] = []
  const runner = new Runner(() => {
    const run = Promise.withResolvers<void>()
    runs.push(run)
    return run.promise
  })
  const done = runner.wake()
  await turn()
  void runner.wake()
  void runner.wake()
  await turn()
  assert.equal(runs.length, 1)
  runs[0]!.resolve()
  await turn()
  assert.equal(runs.length, 2)
  runs[1]!.resolve()
  await done
  await turn()
  assert.equal(runs.length, 2)
})

test('what wakes it at the very end of a run is served, too', async () => {
  for (let microtasks = 0; microtasks < 16; microtasks++) {
    let left = 1
    const runner = new Runner(async () => {
      left = 0
    })
    void runner.wake()
    for (let i = 0; i < microtasks; i++) await Promise.resolve()
    left = 1
    void runner.wake()
    await turn()
    assert.equal(left, 0, `woken ${microtasks} microtasks later`)
  }
})

test('something else is done alone, and wakes nobody up beside it', async () => {
  let atOnce = 0
  let most = 0
  let runs = 0
  const busy = async (): Promise<void> => {
    most = Math.max(most, ++atOnce)
    await turn()
    atOnce--
  }
  const runner = new Runner(async () => {
    runs++
    await busy()
  })
  void runner.wake()
  const others = [runner.alone(busy), runner.alone(busy)]
  void runner.wake()
  await Promise.all(others)
  await runner.wake()
  assert.equal(most, 1)
  assert.ok(runs >= 2)
  const before = runs
  await assert.rejects(
    runner.alone(async () => {
      void runner.wake()
      throw new Error('a fault')
    }),
    /a fault/,
  )
  await turn()
  await runner.idle()
  assert.equal(runs, before + 1)
})

test('work that fails tells who waits, and runs again when it is woken', async () => {
  const failures = [new Error('a fault')]
  let runs = 0
  const runner = new Runner(async () => {
    runs++
    const failure = failures.pop()
    if (failure !== undefined) throw failure
  })
  await assert.rejects(runner.wake(), /a fault/)
  await turn()
  assert.equal(runs, 1)
  await runner.wake()
  assert.equal(runs, 2)
})
