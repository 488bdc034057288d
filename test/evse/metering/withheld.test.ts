import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BackfeedError } from '../../../runtime/errors.ts'
import { CAPACITY_WH, event, RATED_W, rig, sum, T0, withheldOf } from './bookRig.ts'
import { assertSettles } from './settles.ts'

test('a gap longer than allowed is put aside, holds later records back, and can be spread by the operator’s word', async () => {
  const { book, disk, clock } = await rig()
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0, socBp: 9_000, tempC: 30 }))
  await book.take(event('UPDATED', { s: 600, seq: 1, exportMilliWh: 1_000_000, socBp: 8_800 }))
  await book.take(event('UPDATED', { s: 4_200, seq: 2, exportMilliWh: 7_000_000, socBp: 7_700, tempC: 31 }))
  await book.take(event('ENDED', { s: 4_800, seq: 3, exportMilliWh: 8_000_000, socBp: 7_500 }))
  await book.settled()
  assert.deepEqual(
    disk.records().map(({ start, intervals, energyWh }) => [start - T0 / 15_000, intervals, energyWh]),
    [[0, 40, 1_000]],
  )
  const [gap] = await withheldOf(book)
  assert.equal(gap?.code, 'GAP_TOO_LONG')
  assert.deepEqual([gap.energyWh, gap.isReleasable], [6_000, true])
  assert.equal(book.status('e0')?.waitsFor, 'RELEASE')
  const asked = await Promise.allSettled([book.releaseGap('e0', gap.id), book.releaseGap('e0', gap.id)])
  assert.deepEqual(
    asked.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  await book.settled()
  assert.equal(book.status('e0')?.pendingWh, 0)
  const records = disk.records()
  assert.equal(sum(records), 8_000)
  assert.deepEqual(await withheldOf(book), [])
  assertSettles(records, { ratedW: RATED_W, capacityWh: CAPACITY_WH, contracts: 1 })
  await assert.rejects(book.releaseGap('e0', gap.id), { code: 'NOT_RELEASABLE' })
  assert.equal(clock.monotonicMs, 0)
})

test('a gap that nobody releases in time lets later records pass and stays listed', async () => {
  const { book, disk, clock } = await rig()
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0, socBp: 9_000 }))
  await book.take(event('UPDATED', { s: 3_600, seq: 1, exportMilliWh: 6_000_000, socBp: 7_800 }))
  await book.take(event('ENDED', { s: 4_200, seq: 2, exportMilliWh: 7_000_000, socBp: 7_600 }))
  await book.settled()
  assert.deepEqual(disk.records(), [])
  clock.nowMs += 86_400_000
  await book.tick()
  await book.settled()
  assert.equal(sum(disk.records()), 1_000)
  const [gap] = await withheldOf(book)
  assert.deepEqual([gap?.energyWh, gap?.isReleasable], [6_000, false])
  assert.equal(book.status('e0')?.withheldWh, 6_000)
  const again = await rig({ disk })
  assert.equal(again.book.status('e0')?.withheldWh, 6_000)
  const asked = await Promise.allSettled([1, 2].map(() => again.book.dismiss('e0', gap!.id)))
  assert.equal(asked.filter(({ status }) => status === 'fulfilled').length, 1)
  assert.deepEqual([again.book.status('e0')?.withheldWh, await withheldOf(again.book)], [0, []])
  await assert.rejects(again.book.dismiss('e0', gap!.id), { code: 'NOT_WITHHELD' })
})

test('an unknown contract: learnt later in the transaction it counts from the beginning, never learnt it is put aside', async () => {
  const { book, disk } = await rig()
  const nobody = { contract: undefined }
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0, socBp: 9_000, ...nobody }))
  await book.take(event('UPDATED', { s: 900, seq: 1, exportMilliWh: 1_000_000, socBp: 8_800, ...nobody }))
  await book.settled()
  assert.equal(book.status('e0')?.waitsFor, 'CONTRACT')
  await book.take(event('ENDED', { s: 1_000, seq: 2, exportMilliWh: 1_100_000, socBp: 8_800, contract: 1 }))
  await book.settled()
  assert.deepEqual(
    disk.records().map(({ contract, energyWh }) => [contract, energyWh]),
    [
      [1, 1_000],
      [1, 100],
    ],
  )
  await book.take(event('STARTED', { s: 2_000, seq: 0, tx: 'b', exportMilliWh: 1_100_000, socBp: 9_000, ...nobody }))
  await book.take(event('ENDED', { s: 2_600, seq: 1, tx: 'b', exportMilliWh: 1_300_000, socBp: 8_000, ...nobody }))
  await book.settled()
  assert.deepEqual(
    (await withheldOf(book)).map(({ code, energyWh }) => [code, energyWh]),
    [['CONTRACT_UNKNOWN', 200]],
  )
})

test('a gauge that never speaks, and one that falls less than the energy says', async () => {
  const silent = await rig()
  await silent.book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0 }))
  await silent.book.take(event('ENDED', { s: 900, seq: 1, exportMilliWh: 1_000_000 }))
  await silent.book.settled()
  assert.deepEqual(
    (await withheldOf(silent.book)).map(({ code }) => code),
    ['SOC_UNKNOWN'],
  )

  const trusting = await rig({ config: { socSource: 'capacity' } })
  await trusting.book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0 }))
  await trusting.book.take(event('ENDED', { s: 900, seq: 1, exportMilliWh: 1_000_000 }))
  await trusting.book.settled()
  assert.deepEqual(
    trusting.disk.records().map(({ socDrop }) => socDrop),
    [167],
  )

  const lying = await rig()
  await lying.book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0, socBp: 8_000 }))
  for (let i = 1; i <= 4; i++) {
    await lying.book.take(
      event(i < 4 ? 'UPDATED' : 'ENDED', { s: 900 * i, seq: i, exportMilliWh: 2_000_000 * i, socBp: 7_900 }),
    )
  }
  await lying.book.settled()
  // 1 % shown and 1 % of resolution are 1 200 Wh of a 60 kWh battery.
  assert.deepEqual(lying.disk.records(), [])
  assert.deepEqual(
    (await withheldOf(lying.book)).map(({ code, energyWh }) => [code, energyWh]),
    [['ERR_DATA_INCONSISTENCY', 8_000]],
  )
})

test('energy from after the end of its slot waits for another slot, and is put aside when none comes', async () => {
  const { book, disk, clock, signing } = await rig({ config: { socSource: 'capacity' }, nowMs: T0 + 3_600_000 })
  const ended = { details: { evse: 'e0', reason: 'SLOT_ENDED' } }
  signing.error = new BackfeedError('ERR_AUTH_EXPIRED', 'slot 0 ended', ended)
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0 }))
  await book.take(event('ENDED', { s: 900, seq: 1, exportMilliWh: 900_000 }))
  await book.settled()
  assert.equal(book.status('e0')?.problems[0]?.code, 'ERR_AUTH_EXPIRED')
  assert.deepEqual(await withheldOf(book), [])
  clock.nowMs += 86_400_000
  // A certificate that is over is renewed one day: its energy waits on.
  signing.error = new BackfeedError('ERR_AUTH_EXPIRED', 'certificate', { details: { reason: 'EXPIRED' } })
  clock.monotonicMs += 100_000
  await book.tick()
  await book.settled()
  assert.deepEqual(await withheldOf(book), [])
  signing.error = new BackfeedError('ERR_AUTH_EXPIRED', 'slot 0 ended', ended)
  clock.monotonicMs += 100_000
  await book.tick()
  await book.settled()
  const [entry] = await withheldOf(book)
  assert.deepEqual([entry?.code, sum(await withheldOf(book))], ['ERR_AUTH_EXPIRED', 900])
  assert.equal(disk.records().length, 0)
  assert.equal(
    book.status('e0')?.problems.some(({ code }) => code === 'ERR_AUTH_EXPIRED'),
    false,
  )
})

test('a register that runs backwards is not signed until it fits again or the operator accepts the new one', async () => {
  const { book, disk } = await rig({ config: { socSource: 'capacity' } })
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 50_000_000 }))
  await book.take(event('UPDATED', { s: 300, seq: 1, exportMilliWh: 50_500_000 }))
  await book.take(event('UPDATED', { s: 400, seq: 2, exportMilliWh: 10_000 }))
  await book.take(event('UPDATED', { s: 500, seq: 3, exportMilliWh: 110_000 }))
  assert.equal(book.status('e0')?.problems.at(-1)?.code, 'ERR_DATA_INCONSISTENCY')
  assert.equal(book.status('e0')?.pendingWh, 500)
  await book.acceptRegister('e0')
  await book.take(event('ENDED', { s: 600, seq: 4, exportMilliWh: 310_000 }))
  await book.settled()
  assert.deepEqual(
    disk.records().map(({ energyWh, meterEndWh }) => [energyWh, meterEndWh]),
    [
      [500, 50_500],
      [200, 50_800],
    ],
  )
  assert.deepEqual(
    (await withheldOf(book)).map(({ code, energyWh }) => [code, energyWh]),
    [['ERR_DATA_INCONSISTENCY', 100]],
  )
})

test('a jump above rated power that later readings do not bear out changes nothing', async () => {
  const { book, disk } = await rig({ config: { socSource: 'capacity' } })
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0 }))
  await book.take(event('UPDATED', { s: 60, seq: 1, exportMilliWh: 90_000_000 }))
  await book.take(event('ENDED', { s: 120, seq: 2, exportMilliWh: 200_000 }))
  await book.settled()
  assert.equal(sum(disk.records()), 200)
  assert.equal(book.status('e0')?.problems[0]?.code, 'ERR_DATA_INCONSISTENCY')
})

test('energy of a transaction that is still in the device’s queue is waited for, then put aside', async () => {
  const { book, disk, clock } = await rig({ config: { socSource: 'capacity', gapWaitSeconds: 100 } })
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0 }))
  await book.take(event('ENDED', { s: 60, seq: 1, exportMilliWh: 100_000 }))
  await book.take(event('STARTED', { s: 3_000, seq: 0, tx: 'c', exportMilliWh: 400_000 }))
  await book.take(event('ENDED', { s: 3_060, seq: 1, tx: 'c', exportMilliWh: 500_000 }))
  assert.equal(book.status('e0')?.heldBecause, 'TRANSACTION_MISSING')
  await book.take(event('STARTED', { s: 1_000, seq: 0, tx: 'b', exportMilliWh: 100_000, contract: 1 }))
  await book.take(event('ENDED', { s: 1_200, seq: 1, tx: 'b', exportMilliWh: 400_000, contract: 1 }))
  await book.settled()
  assert.deepEqual(
    disk
      .records()
      .map(({ contract, energyWh }) => [contract, energyWh])
      .sort(),
    [
      [0, 100],
      [0, 100],
      [1, 300],
    ],
  )

  await book.take(event('STARTED', { s: 6_000, seq: 0, tx: 'e', exportMilliWh: 900_000 }))
  await book.take(event('ENDED', { s: 6_060, seq: 1, tx: 'e', exportMilliWh: 1_000_000 }))
  clock.monotonicMs += 99_000
  await book.tick()
  assert.equal(book.status('e0')?.heldEvents, 2)
  clock.monotonicMs += 1_000
  await book.tick()
  await book.settled()
  assert.deepEqual(
    (await withheldOf(book)).map(({ code, energyWh }) => [code, energyWh]),
    [['OUTSIDE_TRANSACTION', 400]],
  )
  assert.equal(sum(disk.records()), 600)
})

test('two transactions at once: from there on nothing is signed for either until the later one ends', async () => {
  const { book, disk, clock } = await rig({
    config: { socSource: 'capacity', gapWaitSeconds: 10 },
    nowMs: T0 + 3_600_000,
  })
  await book.take(event('STARTED', { s: 0, seq: 0, exportMilliWh: 0 }))
  await book.take(event('UPDATED', { s: 60, seq: 1, exportMilliWh: 100_000 }))
  await book.take(event('STARTED', { s: 90, seq: 0, tx: 'b', exportMilliWh: 100_000 }))
  clock.monotonicMs += 10_000
  await book.tick()
  await book.take(event('UPDATED', { s: 120, seq: 2, exportMilliWh: 200_000 }))
  await book.take(event('ENDED', { s: 180, seq: 1, tx: 'b', exportMilliWh: 300_000 }))
  await book.settled()
  assert.deepEqual(
    disk.records().map(({ energyWh }) => energyWh),
    [100],
  )
  assert.deepEqual(
    (await withheldOf(book)).map(({ code, energyWh }) => [code, energyWh]),
    [['ERR_DATA_INCONSISTENCY', 200]],
  )
})
