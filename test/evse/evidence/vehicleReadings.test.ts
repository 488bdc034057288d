import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { readReading } from '../../../cli/disputeCommands.ts'
import { readingsCommand } from '../../../cli/readingCommands.ts'
import { READING_KEPT_SECONDS } from '../../../evse/evidence/limits.ts'
import {
  compareReading,
  decodeReading,
  encodeReading,
  readingFileText,
  readingToSign,
  type VehicleReading,
} from '../../../evse/evidence/vehicleReading.ts'
import { VehicleReadings } from '../../../evse/evidence/vehicleReadings.ts'
import type { EdgeStore } from '../../../evse/store/edgeStore.ts'
import { openEdgeStore } from '../../../evse/store/levelStore.ts'
import { type DischargeRecord, encodeRecord } from '../../../protocol/record.ts'
import { ReadingSource } from '../../../protocol/reading.ts'
import { silentLogger } from '../../../runtime/log.ts'
import { fc } from '../../support/property.ts'
import { edgeKey, FIRST_INTERVAL, OWNER } from '../support/edge.ts'

const deployment = { chainId: BigInt(OWNER.chainId), rollup: OWNER.rollup as `0x${string}` }
const START_MS = (FIRST_INTERVAL + 60) * 15_000

const recordOf = (more: Partial<DischargeRecord> = {}): DischargeRecord => ({
  evse: 3,
  contract: 1,
  start: FIRST_INTERVAL,
  intervals: 60,
  energyWh: 1000,
  meterEndWh: 1000,
  socDrop: 400,
  tempC: 25,
  ...more,
})

describe('what cars sign beside records', () => {
  const car = edgeKey()
  const stranger = edgeKey()
  let folder: string
  let store: EdgeStore
  let nowMs: number
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'readings-'))
    store = await openEdgeStore(join(folder, 'store'), OWNER)
    nowMs = START_MS
  })
  afterEach(async () => {
    await store.close()
    rmSync(folder, { recursive: true })
  })

  const open = (): Promise<VehicleReadings> =>
    VehicleReadings.open({
      store,
      deployment,
      vehicleKey: (lane, contract) => (lane === 0 && contract === 1 ? car.publicKey : undefined),
      now: () => nowMs,
      log: silentLogger(),
      folder: join(folder, 'disputes'),
    })
  const signed = (energyWh: number, more: Partial<DischargeRecord> = {}, key = car, lane = 0): VehicleReading => {
    const record = recordOf(more)
    const signature = key.sign(readingToSign({ ...deployment, lane }, record, energyWh))
    return { lane, record: encodeRecord(record), energyWh, signature }
  }

  test('a rightly signed reading is kept over a restart, found by its record, and makes the file of a dispute', async () => {
    const reading = signed(900)
    assert.deepEqual(await (await open()).keep(reading), { kind: 'KEPT', comparison: 'BELOW' })
    const readings = await open()
    assert.equal(readings.count, 1)
    assert.deepEqual(await readings.keep(reading), { kind: 'REPEATED', comparison: 'BELOW' })
    assert.deepEqual(await readings.keep(signed(900)), { kind: 'REPEATED', comparison: 'BELOW' })
    const found = await readings.find({ lane: 0, evse: 3, start: FIRST_INTERVAL })
    assert.deepEqual(found?.energyWh, 900)
    assert.equal(await readings.find({ lane: 0, evse: 4, start: FIRST_INTERVAL }), undefined)

    const path = join(folder, 'disputes', `reading-0-3-${FIRST_INTERVAL}.json`)
    const signature = `0x${Buffer.from(reading.signature).toString('hex')}`
    assert.deepEqual(readReading(path), { source: ReadingSource.VEHICLE, energyWh: 900, signature })
    const other = join(folder, 'by-hand.json')
    writeFileSync(other, readingFileText(found!))
    assert.deepEqual(readReading(other), readReading(path))
  })

  test('what the car did not sign is refused, each by its code', async () => {
    const readings = await open()
    const good = signed(900)
    const changedRecord = encodeRecord(recordOf({ intervals: 59 }))
    const wrong: readonly [VehicleReading, string][] = [
      [{ ...good, energyWh: 899 }, 'READING_BAD_SIGNATURE'],
      [{ ...good, record: good.record.slice(1) }, 'READING_BAD_SIGNATURE'],
      [{ ...good, energyWh: -1 }, 'READING_BAD_SIGNATURE'],
      [{ ...good, energyWh: 0.5 }, 'READING_BAD_SIGNATURE'],
      [{ ...good, record: changedRecord }, 'READING_BAD_SIGNATURE'],
      [{ ...good, signature: good.signature.slice(1) }, 'READING_BAD_SIGNATURE'],
      [signed(900, {}, stranger), 'READING_BAD_SIGNATURE'],
      [{ ...signed(900, {}, car, 1), lane: 0 }, 'READING_BAD_SIGNATURE'],
      [signed(900, { contract: 2 }), 'VEHICLE_KEY_UNKNOWN'],
      [signed(900, {}, car, 1), 'VEHICLE_KEY_UNKNOWN'],
      [signed(900, { start: FIRST_INTERVAL - READING_KEPT_SECONDS / 15 - 60 }), 'READING_TOO_OLD'],
    ]
    for (const [reading, code] of wrong) {
      const result = await readings.keep(reading)
      assert.ok(result.kind === 'REFUSED', code)
      assert.equal(result.code, code)
    }
    assert.equal(readings.count, 0)
    await readings.keep(good)
    const conflict = await readings.keep(signed(800))
    assert.ok(conflict.kind === 'REFUSED' && conflict.code === 'READING_CONFLICT')
    assert.equal((await readings.find({ lane: 0, evse: 3, start: FIRST_INTERVAL }))?.energyWh, 900)
  })

  test('of two contradicting readings at once exactly one is kept', async () => {
    const readings = await open()
    const results = await Promise.all([readings.keep(signed(900)), readings.keep(signed(800))])
    assert.deepEqual(
      results.map(({ kind }) => kind),
      ['KEPT', 'REFUSED'],
    )
    assert.equal(readings.count, 1)
  })

  test('below means by more than 2 % of the record, as the court counts', () => {
    for (const [recordWh, carWh, comparison] of [
      [1000, 980, 'AGREES'],
      [1000, 979, 'BELOW'],
      [1000, 1200, 'AGREES'],
      [1, 0, 'BELOW'],
      [0, 0, 'AGREES'],
    ] as const) {
      assert.equal(compareReading(signed(carWh, { energyWh: recordWh })), comparison)
    }
  })

  test('only what disagrees is listed for disputes and written as a file; what no dispute can be about goes', async () => {
    const readings = await open()
    await readings.keep(signed(1000, { start: FIRST_INTERVAL + 60 }))
    await readings.keep(signed(900))
    const starts = async (below: boolean): Promise<number[]> => {
      const all: number[] = []
      for await (const { record } of readings.list({ below })) all.push(Buffer.from(record).readUInt32BE(8))
      return all
    }
    assert.deepEqual(await starts(false), [FIRST_INTERVAL, FIRST_INTERVAL + 60])
    assert.deepEqual(await starts(true), [FIRST_INTERVAL])
    assert.equal(readdirSync(join(folder, 'disputes')).length, 1)
    const later = FIRST_INTERVAL + READING_KEPT_SECONDS / 15 + 1_000
    nowMs = later * 15_000
    await readings.keep(signed(1000, { start: later }))
    assert.deepEqual(await starts(false), [later])
    assert.equal(readings.count, 1)
    assert.equal((await open()).count, 1)
  })

  test('the command writes the same file from the store', async () => {
    await (await open()).keep(signed(990))
    await store.close()
    const out = join(folder, 'out.json')
    const args = ['--store', join(folder, 'store'), '--lane', '0', '--evse', '3']
    const run = (rest: readonly string[]) =>
      readingsCommand()
        .exitOverride()
        .parseAsync(['write', ...args, ...rest], { from: 'user' })
    await run(['--start', String(FIRST_INTERVAL), '--out', out])
    assert.equal(readReading(out).energyWh, 990)
    await assert.rejects(run(['--start', String(FIRST_INTERVAL), '--out', out]), { code: 'READING_UNWRITABLE' })
    await assert.rejects(run(['--start', '5', '--out', join(folder, 'x')]), { code: 'READING_MISSING' })
    const nowhere = readingsCommand().parseAsync(['list', '--store', join(folder, 'none')], { from: 'user' })
    await assert.rejects(nowhere, { code: 'STORE_MISSING' })
    store = await openEdgeStore(join(folder, 'store'), OWNER)
  })

  test('bytes on disk come back as they were', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 24, maxLength: 24 }),
        fc.nat(0xffffff),
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        fc.nat(0xffff),
        (record, energyWh, signature, lane) => {
          const reading = { lane, record, energyWh, signature }
          assert.deepEqual(decodeReading(lane, encodeReading(reading)), reading)
          assert.equal(decodeReading(lane, encodeReading(reading).subarray(1)), undefined)
        },
      ),
    )
  })
})
