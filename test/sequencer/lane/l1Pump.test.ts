import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BlockRef, L1Follower } from '../../../l1/follow.ts'
import { BackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { L1Pump } from '../../../sequencer/lane/l1Pump.ts'

const block: BlockRef = { number: 1n, hash: '0x01', parentHash: '0x00', timestamp: 1 }

/** A pump that nothing asks but the test. */
function openPump(onLook: () => Promise<void>): { pump: L1Pump; faults: unknown[] } {
  const faults: unknown[] = []
  const pump = new L1Pump({
    follower: { head: block, final: block } as L1Follower,
    onL1: onLook,
    everyMs: 1_000_000,
    log: silentLogger(),
    onFault: (error) => faults.push(error),
  })
  return { pump, faults }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('whatever asks while a look is under way is served after it, not beside it', async () => {
  const looks: PromiseWithResolvers<void>[] = []
  const { pump } = openPump(() => {
    const look = Promise.withResolvers<void>()
    looks.push(look)
    return look.promise
  })
  // The first one at a start: batches may be closed, and ask, before it ends.
  const first = pump.look()
  const second = pump.look()
  pump.ask()
  await turn()
  assert.equal(looks.length, 1)
  looks[0]!.resolve()
  await first
  await turn()
  assert.equal(looks.length, 2)
  looks[1]!.resolve()
  await turn()
  assert.equal(looks.length, 3)
  looks[2]!.resolve()
  await second
  await turn()
  assert.equal(looks.length, 3)
  await pump.stop()
})

test('what asks at the very end of a look is served, too', async () => {
  for (let microtasks = 0; microtasks < 12; microtasks++) {
    let looks = 0
    const { pump } = openPump(async () => {
      looks++
    })
    pump.ask()
    for (let i = 0; i < microtasks; i++) await Promise.resolve()
    const before = looks
    pump.ask()
    await turn()
    assert.ok(looks > before, `asked ${microtasks} microtasks later`)
    await pump.stop()
  }
})

test('a look that fails tells its caller and keeps nobody from looking again', async () => {
  const failures: unknown[] = [new Error('a fault'), new BackfeedError('L1_UNREACHABLE', 'gone', { retryable: true })]
  let looks = 0
  const { pump, faults } = openPump(async () => {
    looks++
    const failure = failures.shift()
    if (failure !== undefined) throw failure
  })
  await assert.rejects(pump.look(), /a fault/)
  pump.ask()
  await turn()
  assert.equal(looks, 2)
  await pump.look()
  assert.equal(looks, 3)
  assert.deepEqual(faults, [])
  await pump.stop()
})
