import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meteringConfigSchema } from '../../../evse/metering/config.ts'
import { type MeterBook, openMeterBook } from '../../../evse/metering/meterBook.ts'
import type { MeterEvent, MeterSample } from '../../../evse/metering/meterEvent.ts'
import type { WithheldEntry } from '../../../evse/metering/withheld.ts'
import type { EdgeStore } from '../../../evse/store/edgeStore.ts'
import type { DischargeRecord } from '../../../protocol/record.ts'
import { BackfeedError } from '../../../runtime/errors.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { createMetrics } from '../../../runtime/metrics.ts'
import { CrashingDisk, plainOutbox, unsigned } from './crashingStore.ts'
import { mangled, meterCurve } from './meterCurve.ts'
import { assertSettles } from './settles.ts'

const CAPACITY_WH = 60_000
const RATED_W = 11_000
const NOW_MS = 1_950_000_000_000
/** A period's beginning. */
const T0 = 900_000 * 2_111_111

interface Rig {
  readonly book: MeterBook
  readonly disk: CrashingDisk
  readonly store: EdgeStore & { readonly isDead: boolean }
  readonly outbox: ReturnType<typeof plainOutbox>
  clock: { monotonicMs: number; nowMs: number }
  signing: { error: Error | undefined; signed: DischargeRecord[] }
}

interface RigOptions {
  disk?: CrashingDisk
  crashAt?: number
  isWritten?: boolean
  config?: Record<string, unknown>
  nowMs?: number
}

async function rig(options: RigOptions = {}): Promise<Rig> {
  const { disk = new CrashingDisk(), crashAt, isWritten, config = {}, nowMs = NOW_MS } = options
  const store = disk.boot(crashAt, isWritten)
  const outbox = plainOutbox(store)
  const clock = { monotonicMs: 0, nowMs }
  const signing: Rig['signing'] = { error: undefined, signed: [] }
  const book = await openMeterBook({
    config: meteringConfigSchema.parse(config),
    evse: (name) => (/^e\d+$/.test(name) ? EVSES[Number(name.slice(1))] : undefined),
    capacityWh: (_, contract) => (contract < 3 ? CAPACITY_WH : undefined),
    store,
    outbox,
    signRecord: async (_, record) => {
      if (signing.error !== undefined) throw signing.error
      signing.signed.push(record)
      return unsigned(record)
    },
    now: () => clock.nowMs,
    monotonicMs: () => clock.monotonicMs,
    log: silentLogger(),
    metrics: createMetrics({ service: 'test', process: false }),
  })
  return { book, disk, store, outbox, clock, signing }
}

const EVSES = Array.from({ length: 10 }, (_, slot) => ({ name: `e${slot}`, lane: 0, slot, ratedW: RATED_W }))

interface Said extends Omit<MeterSample, 'atMs'> {
  /** Seconds after T0. */
  s: number
  seq?: number
  tx?: string
  contract?: number | undefined
}

function event(kind: MeterEvent['kind'], said: Said): MeterEvent {
  const { s, seq = s, tx = 'a', contract = 0, ...sample } = { contract: 0 as number | undefined, ...said }
  const named = 'contract' in said ? said.contract : contract
  const atMs = T0 + s * 1_000
  return {
    evse: 'e0',
    kind,
    transaction: tx,
    seqNo: seq,
    atMs,
    offline: false,
    contract: named,
    samples: [{ atMs, ...sample }],
  }
}

async function withheldOf(book: MeterBook): Promise<WithheldEntry[]> {
  const found: WithheldEntry[] = []
  for await (const entry of book.withheld('e0')) found.push(entry)
  return found
}

const sum = (parts: readonly { energyWh: number }[]): number => parts.reduce((wh, { energyWh }) => wh + energyWh, 0)

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
  assert.ok(whole.disk.writes > 30)

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
  await book.releaseGap('e0', gap.id)
  await book.settled()
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
  assert.equal((await rig({ disk })).book.status('e0')?.withheldWh, 6_000)
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

test('what is no reading, or of no EVSE, is refused by a code', async () => {
  const { book } = await rig()
  await assert.rejects(book.take({ ...event('STARTED', { s: 0 }), evse: 'x' }), { code: 'EVSE_UNKNOWN' })
  await assert.rejects(book.take(event('STARTED', { s: 0, exportMilliWh: Number.NaN })), {
    code: 'METER_EVENT_INVALID',
  })
  await assert.rejects(book.take(event('STARTED', { s: 0, tx: '' })), { code: 'METER_EVENT_INVALID' })
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
