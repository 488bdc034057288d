import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CAPACITY_WH, RATED_W, rig, sum, T0 } from './bookRig.ts'
import { CrashingDisk } from './crashingStore.ts'
import { mangled, meterCurve } from './meterCurve.ts'
import { assertSettles } from './settles.ts'

test('killed at every write, before or after it reached the disk: the same records, each once', async () => {
  const options = {
    seed: 77,
    ratedW: RATED_W,
    capacityWh: CAPACITY_WH,
    transactions: 2,
    sampleSeconds: 60,
    startMs: T0,
  }
  const curve = meterCurve({ ...options, evse: 'e0', pauseMs: 60_000 })
  const events = mangled(curve.events, { seed: 5, lost: 0, repeated: 0.1, delayed: 0.1, boots: 0 })
  const config = { recordSeconds: 300 }
  const whole = await rig({ config })
  for (const one of events) await whole.book.take(one)
  await whole.book.settled()
  const expected = whole.disk.records()
  assert.equal(sum(expected), Math.floor(curve.lastMilliWh / 1_000) - Math.floor(curve.firstMilliWh / 1_000))
  assertSettles(expected, { ratedW: RATED_W, capacityWh: CAPACITY_WH, contracts: 3 })
  assert.ok(whole.disk.writes > 15)

  for (let crashAt = 1; crashAt <= whole.disk.writes; crashAt++) {
    for (const isWritten of [false, true]) {
      const disk = new CrashingDisk()
      let running = await rig({ disk, crashAt, isWritten, config })
      for (const one of events) {
        await running.book.take(one).catch((error) => assert.equal(error.code, 'STORE_FAILED'))
        await running.book.settled()
        if (!running.store.isDead) continue
        running = await rig({ disk, config })
        // The device never got its answer, or the one before was lost on its way.
        await running.book.take(one)
      }
      await running.book.settled()
      assert.deepEqual(disk.records(), expected, `killed at write ${crashAt}, ${isWritten ? 'after' : 'before'}`)
      assert.equal(running.book.status('e0')?.pendingWh, 0)
    }
  }
})
