import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../../../devnet/freePort.ts'
import type { SimulatedStation, StationSettings } from '../../../devnet/stations/station.ts'
import type { OcppVersion } from '../../../gateway/ocpp/config.ts'
import { Random } from '../../support/generators/random.ts'
import { replay, seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'
import { Clock, type Fixture, KNOWN_TOKEN, MemoryStore, RecordingSink, startOcpp } from './fixture.ts'

// Days of stations whose links, and whose gateway, come and go. Whatever happens, each message comes through, in order, and what the last
// one says is what the meter shows.

const STATIONS: Readonly<Record<string, OcppVersion>> = { A: 'ocpp2.0.1', B: 'ocpp2.1', C: 'ocpp1.6' }
const STEPS = 120
const RUNS = 3

interface Done {
  readonly id: string
  readonly messages: number
  readonly registerMilliWh: number
}

for (let run = 0; run < RUNS; run++) {
  test(`nothing is lost, doubled or out of order, run ${run} (${replay('test/gateway/ocpp/simulation.test.ts')})`, {
    timeout: 180_000,
  }, async () => {
    const random = new Random(seed + run)
    const [clock, store, sink] = [new Clock(), new MemoryStore(), new RecordingSink()]
    const port = await freePort()
    const open = async (): Promise<Fixture> => {
      return await startOcpp({ stations: { A: 1, B: 1, C: 1 }, clock, store, deps: { sink }, config: { port } })
    }
    let gateway = await open()
    const done: Done[] = []
    const stations = Object.entries(STATIONS).map(([id, version]) =>
      gateway.station({
        id,
        version,
        strict: false,
        repeats: () => random.chance(0.2),
      } satisfies Partial<StationSettings>),
    )
    for (const station of stations) await station.boot()
    const unplug = (station: SimulatedStation): void => {
      const transaction = station.transaction(1)
      station.unplug(1)
      if (transaction === undefined) return
      done.push({
        id: station.id,
        messages: transaction.nextSeqNo,
        registerMilliWh: station.meter(1).registerMilliWh(),
      })
    }
    const acts: ((station: SimulatedStation) => Promise<void> | void)[] = [
      (station) => station.sample(1),
      (station) => station.sample(1, 'Sample.Clock'),
      (station) => station.discharge(1, random.int(0, 10_999)),
      (station) => station.cutLink(),
      (station) => (station.connected ? undefined : station.restore()),
      (station) => station.reboot(),
      (station) => (station.transaction(1) === undefined ? void station.plugIn(1, KNOWN_TOKEN) : undefined),
      unplug,
      async () => {
        // What is under way may still be taken: the answers are lost.
        for (const station of stations) if (random.chance(0.5)) station.cutLink()
        await gateway.ocpp.stop()
        gateway = await open()
      },
      async () => {
        store.failing = random.chance(0.5)
        sink.failing = random.chance(0.3)
      },
    ]
    for (let step = 0; step < STEPS; step++) {
      clock.nowMs += random.int(0, 59_999)
      const station = random.pick(stations)
      await random.pick(acts)(station)
    }
    store.failing = false
    sink.failing = false
    for (const station of stations) {
      unplug(station)
      // A link may die a moment after it was seen to be up: that of a station which was not cut when its gateway stopped.
      await until(async () => {
        await station.restore()
        return station.queued === 0
      })
    }
    await gateway[Symbol.asyncDispose]()

    for (const station of stations) {
      const events = sink.taken.filter(({ evse }) => evse === `${station.id}-1`)
      const transactions = [...new Set(events.map(({ transaction }) => transaction))]
      const expected = done.filter(({ id }) => id === station.id)
      assert.equal(transactions.length, expected.length, station.id)
      for (const [index, transaction] of transactions.entries()) {
        const own = events.filter((event) => event.transaction === transaction)
        const seqNos = own.map(({ seqNo }) => seqNo)
        assert.deepEqual(
          [...new Set(seqNos)],
          Array.from({ length: expected[index]!.messages }, (_, seqNo) => seqNo),
        )
        assert.deepEqual(
          seqNos,
          [...seqNos].sort((a, b) => a - b),
        )
        assert.equal(own.at(-1)!.kind, 'ENDED')
        assert.equal(own.at(-1)!.samples.at(-1)!.exportMilliWh, expected[index]!.registerMilliWh)
        assert.ok(own.every(({ contract }) => contract === 7))
        for (const { seqNo, samples, atMs } of own) {
          const same = own.find((event) => event.seqNo === seqNo)!
          assert.deepEqual([samples, atMs], [same.samples, same.atMs])
        }
      }
    }
  })
}
