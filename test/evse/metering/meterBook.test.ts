import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MeterEvent } from '../../../evse/metering/meterEvent.ts'
import { BackfeedError } from '../../../runtime/errors.ts'
import { CAPACITY_WH, event, RATED_W, rig, sum, T0 } from './bookRig.ts'
import { unsigned } from './crashingStore.ts'
import { assertSettles } from './settles.ts'

test('a repeat is told from a new message, also after a restart and until it is forgotten', async () => {
  const first = await rig()
  const start = event('STARTED', { s: 0, exportMilliWh: 1_000_000, socBp: 8_000 })
  assert.equal(await first.book.take(start), 'TAKEN')
  assert.equal(await first.book.take(start), 'REPEATED')
  assert.deepEqual(await Promise.all([1, 1].map((s) => first.book.take(event('UPDATED', { s })))), [
    'TAKEN',
    'REPEATED',
  ])
  await first.book.take(event('ENDED', { s: 2, exportMilliWh: 1_000_000 }))
  const again = await rig({ disk: first.disk })
  assert.equal(await again.book.take(start), 'REPEATED')
  assert.ok([...first.disk.values.keys()].some((key) => key.startsWith('metering/seen/')))
  again.clock.nowMs = T0 + 8 * 86_400_000
  await again.book.tick()
  await again.book.settled()
  for (let i = 0; i < 50; i++) await Promise.resolve()
  assert.deepEqual(
    [...first.disk.values.keys()].filter((key) => key.startsWith('metering/seen/')),
    [],
  )
})

test('a station that dies: its energy is cut at its last reading, and it may come back', async () => {
  const { book, disk, clock } = await rig({ config: { socSource: 'capacity' } })
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0, tempC: 20 }))
  await book.take(event('UPDATED', { s: 100, seq: 1, exportMilliWh: 200_000, tempC: 20 }))
  clock.monotonicMs += 21_600_000
  await book.tick()
  await book.settled()
  assert.deepEqual(
    disk.records().map(({ intervals, energyWh }) => [intervals, energyWh]),
    [[7, 200]],
  )
  await book.take(event('UPDATED', { s: 160, seq: 2, exportMilliWh: 300_000 }))
  await book.take(event('ENDED', { s: 200, seq: 3, exportMilliWh: 400_000 }))
  await book.settled()
  assert.equal(sum(disk.records()), 400)
  assertSettles(disk.records(), { ratedW: RATED_W, capacityWh: CAPACITY_WH, contracts: 1 })
})

test('a key that does not sign and an outbox that is full lose nothing', async () => {
  const { book, disk, signing, outbox, clock } = await rig({ config: { socSource: 'capacity' } })
  signing.error = new BackfeedError('HSM_UNAVAILABLE', 'no token', { retryable: true })
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0 }))
  await book.take(event('ENDED', { s: 1_800, seq: 1, exportMilliWh: 0 }))
  await book.take(event('STARTED', { s: 1_800, seq: 0, tx: 'b', exportMilliWh: 0 }))
  await book.take(event('ENDED', { s: 2_700, seq: 1, tx: 'b', exportMilliWh: 900_000 }))
  await book.settled()
  assert.equal(book.status('e0')?.problems[0]?.code, 'HSM_UNAVAILABLE')
  assert.deepEqual([book.status('e0')?.pendingWh, book.status('e0')?.waitsFor], [900, 'RETRY'])
  signing.error = undefined
  outbox.isFull = true
  clock.monotonicMs += 1_000
  await book.tick()
  await book.settled()
  assert.equal(book.status('e0')?.problems[0]?.code, 'OUTBOX_FULL')
  outbox.isFull = false
  clock.monotonicMs += 60_000
  await book.tick()
  await book.settled()
  assert.equal(sum(disk.records()), 900)
  assert.equal(book.status('e0')?.problems.length, 0)
})

test('a record whose span is not over yet by the wall clock waits for its end', async () => {
  const { book, disk, clock } = await rig({ config: { socSource: 'capacity' }, nowMs: T0 + 62_000 })
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0 }))
  await book.take(event('ENDED', { s: 62, seq: 1, exportMilliWh: 100_000 }))
  await book.settled()
  assert.equal(book.status('e0')?.waitsFor, 'TIME')
  clock.nowMs = T0 + 75_000
  await book.tick()
  await book.settled()
  assert.equal(disk.records()[0]?.intervals, 5)
})

test('readings from the future do not count, and the device is told on', async () => {
  const { book, disk } = await rig({ config: { socSource: 'capacity' }, nowMs: T0 + 200_000 })
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0 }))
  assert.equal(await book.take(event('UPDATED', { s: 90_000, seq: 1, exportMilliWh: 50_000 })), 'TAKEN')
  assert.equal(book.status('e0')?.problems[0]?.code, 'CLOCK_UNTRUSTED')
  await book.take(event('ENDED', { s: 120, seq: 1, exportMilliWh: 100_000 }))
  await book.settled()
  assert.equal(sum(disk.records()), 100)
})

test('temperatures of another source are in the record, rounded up, and survive a crash', async () => {
  const first = await rig({ config: { socSource: 'capacity' } })
  await first.book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0, tempC: 20 }))
  first.book.noteTemperature('e0', T0 + 30_000, 41.2)
  first.book.noteTemperature('e0', T0 + 31_000, 25)
  await first.book.settled()
  const { book, disk } = await rig({ disk: first.disk, config: { socSource: 'capacity' } })
  await book.take(event('ENDED', { s: 60, seq: 1, exportMilliWh: 100_000 }))
  await book.settled()
  assert.deepEqual(
    disk.records().map(({ tempC }) => tempC),
    [42],
  )
})

test('signed meter values are kept by transaction, and what is delivered makes room first', async () => {
  const { book, outbox, disk } = await rig({ config: { socSource: 'capacity', evidenceMaxBytes: 2_500 } })
  const signed = (tx: string, s: number, kind: MeterEvent['kind'], milliWh: number): MeterEvent => ({
    ...event(kind, { s, tx, seq: kind === 'STARTED' ? 0 : 1, exportMilliWh: milliWh }),
    evidence: [new Uint8Array(500).fill(s % 256)],
  })
  for (const [i, tx] of ['a', 'b', 'c'].entries()) {
    await book.take(signed(tx, 1_000 * i, 'STARTED', 100_000 * i))
    await book.take(signed(tx, 1_000 * i + 60, 'ENDED', 100_000 * (i + 1)))
  }
  await book.settled()
  const kept = async (tx: string): Promise<number> => {
    let count = 0
    for await (const value of book.evidence('e0', tx)) count += value.length / 500
    return count
  }
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(kept)), [2, 2, 2])
  const [, b] = disk.records()
  outbox.answer({ lane: 0, row: unsigned(b!), answer: {} as never })
  await book.tick()
  assert.deepEqual(await Promise.all(['a', 'b', 'c'].map(kept)), [0, 2, 2])
})

test('a receipt is for the evidence of its own EVSE, also after a restart', async () => {
  const config = { socSource: 'capacity', evidenceMaxBytes: 2_500 }
  const first = await rig({ config })
  for (const [i, evse] of ['e3', 'e7', 'e3'].entries()) {
    for (const [kind, seq] of [['STARTED', 0] as const, ['ENDED', 1] as const]) {
      const said = { tx: `${i}`, s: 1_000 * i + 60 * seq, seq, exportMilliWh: 100_000 * (i + seq) }
      await first.book.take({ ...event(kind, said), evse, evidence: [new Uint8Array(500)] })
    }
  }
  await first.book.settled()
  const { book, outbox, disk } = await rig({ config, disk: first.disk })
  const ofE7 = disk.records().find(({ evse }) => evse === 7)!
  outbox.answer({ lane: 1, row: unsigned({ ...ofE7, evse: 3 }), answer: {} as never })
  outbox.answer({ lane: 0, row: unsigned({ ...ofE7, evse: 5 }), answer: {} as never })
  outbox.answer({ lane: 0, row: unsigned(ofE7), answer: {} as never })
  await book.tick()
  const kept = async (evse: string, tx: string): Promise<number> => {
    let count = 0
    for await (const _ of book.evidence(evse, tx)) count++
    return count
  }
  assert.deepEqual(await Promise.all([kept('e3', '0'), kept('e7', '1'), kept('e3', '2')]), [2, 0, 2])
})

test('what is no reading, or of no EVSE, is refused by a code', async () => {
  const { book } = await rig()
  await assert.rejects(book.take({ ...event('STARTED', { s: 0 }), evse: 'x' }), { code: 'EVSE_UNKNOWN' })
  await assert.rejects(book.take(event('STARTED', { s: 0, exportMilliWh: Number.NaN })), {
    code: 'METER_EVENT_INVALID',
  })
  await assert.rejects(book.take(event('STARTED', { s: 0, tx: '' })), { code: 'METER_EVENT_INVALID' })
})

test('a queue that drains is waited for; gaps that nobody fills are all given up when their time is over', async () => {
  const { book, disk, clock } = await rig({ config: { socSource: 'capacity', gapWaitSeconds: 100 } })
  const at = (seq: number): MeterEvent =>
    event(seq === 0 ? 'STARTED' : 'UPDATED', { s: seq * 300, seq, exportMilliWh: seq * 500_000 })
  await book.take(at(0))
  await book.take(at(30))
  // The rest comes slower than the wait, but it comes.
  for (let seq = 1; seq < 30; seq++) {
    clock.monotonicMs += 50_000
    await book.tick()
    await book.take(at(seq))
  }
  await book.settled()
  assert.equal(sum(disk.records()), 15_000)
  for (const seq of [32, 34, 36]) await book.take(at(seq))
  clock.monotonicMs += 99_000
  await book.tick()
  assert.equal(book.status('e0')?.heldEvents, 3)
  clock.monotonicMs += 1_000
  await book.tick()
  await book.settled()
  assert.equal(book.status('e0')?.heldEvents, 0)
  assert.equal(sum(disk.records()), 18_000)
})
