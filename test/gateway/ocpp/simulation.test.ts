import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freePort } from '../../../devnet/freePort.ts'
import type { SimulatedStation, StationSettings } from '../../../devnet/stations/station.ts'
import type { OcppVersion } from '../../../gateway/ocpp/config.ts'
import { Clock, type Fixture, KNOWN_TOKEN, MemoryStore, RecordingSink, startOcpp } from './fixture.ts'

// Days of stations whose links, and whose gateway, come and go. Whatever happens, each message comes through, in order, and what the last
// one says is what the meter shows.

const STATIONS: Readonly<Record<string, OcppVersion>> = { A: 'ocpp2.0.1', B: 'ocpp2.1', C: 'ocpp1.6' }
const STEPS = 120
const RUNS = 3

/** Small and good enough (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

interface Done {
  readonly id: string
  readonly messages: number
  readonly registerMilliWh: number
}

for (let run = 0; run < RUNS; run++) {
  const seed = Number(process.env.SEED ?? (Date.now() % 1_000_000_007) + run)
  test(`nothing is lost, doubled or out of order (SEED=${seed})`, { timeout: 600_000 }, async () => {
    const random = randomFrom(seed)
    const [clock, store, sink] = [new Clock(), new MemoryStore(), new RecordingSink()]
    const port = await freePort()
    const open = async (): Promise<Fixture> => {
      return await startOcpp({ stations: { A: 1, B: 1, C: 1 }, clock, store, deps: { sink }, config: { port } })
    }
    let gateway = await open()
    const done: Done[] = []
    const stations = Object.entries(STATIONS).map(([id, version]) =>
      gateway.station({ id, version, strict: false, repeats: () => random() < 0.2 } satisfies Partial<StationSettings>),
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
      (station) => station.discharge(1, Math.floor(random() * 11_000)),
      (station) => station.cutLink(),
      (station) => (station.connected ? undefined : station.restore()),
      (station) => station.reboot(),
      (station) => (station.transaction(1) === undefined ? void station.plugIn(1, KNOWN_TOKEN) : undefined),
      unplug,
      async () => {
        // What is under way may still be taken: the answers are lost.
        for (const station of stations) if (random() < 0.5) station.cutLink()
        await gateway.ocpp.stop()
        gateway = await open()
      },
      async () => {
        store.failing = random() < 0.5
        sink.failing = random() < 0.3
      },
    ]
    for (let step = 0; step < STEPS; step++) {
      clock.nowMs += Math.floor(random() * 60_000)
      const station = stations[Math.floor(random() * stations.length)]!
      await acts[Math.floor(random() * acts.length)]!(station)
    }
    store.failing = false
    sink.failing = false
    for (const station of stations) {
      unplug(station)
      await station.restore()
      await station.drained()
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
