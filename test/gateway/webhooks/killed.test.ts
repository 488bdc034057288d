import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sessionClosedSchema, sessionSettledSchema } from '../../../gateway/webhooks/events.ts'
import { INTERVAL_SECONDS } from '../../../protocol/limits.ts'
import { CAPACITY_WH, RATED_W, T0 } from '../../evse/metering/bookRig.ts'
import { CrashingDisk } from '../../evse/metering/crashingStore.ts'
import { mangled, meterCurve } from '../../evse/metering/meterCurve.ts'
import { temporaryFolder } from '../../support/temporaryFolder.ts'
import { secretFile } from '../../support/webhookReceiver.ts'
import { MICRO_PER_WH, queuedOn, tellingRig } from './tellingRig.ts'

const iso = (interval: number): string => new Date(interval * INTERVAL_SECONDS * 1_000).toISOString()

test('killed at every write, before or after it reached the disk: each session is told once, with each record once', async () => {
  await using folder = await temporaryFolder()
  const secret = secretFile(folder.path)
  const options = {
    seed: 78,
    ratedW: RATED_W,
    capacityWh: CAPACITY_WH,
    transactions: 2,
    sampleSeconds: 300,
    startMs: T0,
  }
  const curve = meterCurve({ ...options, evse: 'e0', pauseMs: 60_000 })
  const events = mangled(curve.events, { seed: 5, lost: 0, repeated: 0.1, delayed: 0.1, boots: 0 })

  const run = async (crashAt: number, isWritten: boolean) => {
    const disk = new CrashingDisk()
    // It may die in its very start.
    let running = await tellingRig(disk, { crashAt, isWritten, secret }).catch(() => tellingRig(disk, { secret }))
    const again = async (): Promise<boolean> => {
      if (!running.store.isDead) return false
      await running.stop()
      running = await tellingRig(disk, { secret })
      return true
    }
    for (const [i, one] of events.entries()) {
      await running.book.take(one).catch((error) => assert.equal(error.code, 'STORE_FAILED'))
      await running.settled()
      if (await again()) await running.book.take(one)
      if (i % 7 !== 0) continue
      await running.answer().catch((error) => assert.equal(error.code, 'STORE_FAILED'))
      await again()
    }
    await running.settled()
    await running.answer().catch((error) => assert.equal(error.code, 'STORE_FAILED'))
    if (await again()) await running.answer()
    await running.settled()
    const records = []
    for await (const { row } of running.outbox.answered()) records.push(row)
    await running.stop()
    return { disk, records: records.length }
  }

  const whole = await run(0, false)
  const wholeWh = Math.floor(curve.lastMilliWh / 1_000) - Math.floor(curve.firstMilliWh / 1_000)
  const check = ({ disk, records }: Awaited<ReturnType<typeof run>>, what: string): void => {
    const queued = queuedOn(disk)
    assert.equal(new Set(queued.map(({ id }) => id)).size, queued.length, `${what}: no event twice`)
    const settled = queued
      .filter(({ type }) => type === 'session.settled.v1')
      .map(({ data }) => sessionSettledSchema.parse(data))
    const closed = queued
      .filter(({ type }) => type === 'session.closed.v1')
      .map(({ data }) => sessionClosedSchema.parse(data))
    assert.deepEqual(
      settled.map(({ transaction }) => transaction),
      ['tx0', 'tx1'],
      what,
    )
    assert.equal(new Set(closed.map(({ transaction }) => transaction)).size, closed.length, `${what}: closed once`)
    const listed = settled.flatMap((session) => session.records)
    assert.equal(listed.length, records, what)
    assert.equal(new Set(listed.map(({ start }) => start)).size, records, what)
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
    assert.equal(sum(settled.map(({ meteredWh }) => meteredWh)), wholeWh, what)
    for (const session of settled) {
      assert.ok(session.complete)
      assert.equal(session.meteredWh, session.settledWh + session.refusedWh + session.withheldWh, what)
      assert.equal(session.settledWh, sum(session.records.map(({ energyWh }) => energyWh)), what)
      assert.equal(Number(session.creditedMicro), session.settledWh * MICRO_PER_WH, what)
      assert.deepEqual([session.station, session.stationEvse], ['CP-1', 2])
      for (const record of session.records) assert.equal(record.start, iso(record.position!))
    }
    const left = [...disk.values.keys()].filter((key) => key.startsWith('hook/s/') || key.startsWith('hook/m/'))
    assert.deepEqual(left, [], `${what}: nothing is kept of what was told`)
  }
  check(whole, 'not killed')
  assert.ok(whole.records > 10 && whole.disk.writes > 20)
  for (let crashAt = 1; crashAt <= whole.disk.writes; crashAt++) {
    for (const isWritten of [false, true]) {
      check(await run(crashAt, isWritten), `killed at write ${crashAt}, ${isWritten ? 'after' : 'before'}`)
    }
  }
})
