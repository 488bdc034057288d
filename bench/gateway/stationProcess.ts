import { setTimeout as sleep } from 'node:timers/promises'
import { SimulatedStation } from '../../devnet/stations/station.ts'
import { measure } from '../measure.ts'
import { serveCalls } from '../helperProcess.ts'

// A thousand charging stations, each with a WebSocket of its own, a car that discharges, and a meter that runs by the real clock.

export interface StationsTarget {
  readonly url: string
  /** Names and tokens by number. */
  readonly stations: readonly { readonly id: string; readonly token: string }[]
  readonly password: string | undefined
}

export interface Paced {
  readonly messagesPerSecond: number
  readonly seconds: number
}

const EVSE_ID = 1
const POWER_W = 6_000
const FIRST_SOC = 96
const CAPACITY_WH = 77_000
/** Of connections at once at the beginning; after a restart all come by themselves. */
const OPENED_AT_ONCE = 64
/** Between tries to come back: OCPP leaves it to the station, and impatient ones are the harder case. */
const RETRY_MS = { least: 500, more: 1_000 }

class Car {
  readonly station: SimulatedStation

  constructor(target: StationsTarget, index: number) {
    const { id } = target.stations[index]!
    this.station = new SimulatedStation({
      id,
      url: target.url,
      version: 'ocpp2.0.1',
      ...(target.password !== undefined && { password: target.password }),
      now: Date.now,
      retryMs: 200,
    })
  }

  async begin(token: string): Promise<void> {
    await this.station.boot()
    this.station.plugIn(EVSE_ID, token, FIRST_SOC)
    this.station.discharge(EVSE_ID, POWER_W)
    await this.station.drained()
  }

  /** One reading; resolves when it is answered. */
  async tell(): Promise<void> {
    const usedWh = this.station.meter(EVSE_ID).registerMilliWh() / 1_000
    this.station.setSoc(EVSE_ID, FIRST_SOC - Math.ceil((usedWh * 10_000) / CAPACITY_WH) / 100)
    this.station.sample(EVSE_ID)
    await this.station.drained()
  }

  /** As after a lost link: tries until it is in again and what it metered meanwhile is answered. */
  async comeBack(): Promise<void> {
    while (!this.station.connected) {
      await sleep(RETRY_MS.least + Math.random() * RETRY_MS.more)
      await this.station.restore().catch(() => this.station.cutLink())
    }
    await this.tell()
  }
}

const fleets = new Map<string, readonly Car[]>()
const fleetOf = (name: string): readonly Car[] => fleets.get(name)!

const calls = {
  /** Connects, boots and plugs in; resolves when all are answered. */
  async open(name: string, target: StationsTarget): Promise<void> {
    const cars = target.stations.map((_, index) => new Car(target, index))
    fleets.set(name, cars)
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < cars.length) {
        const index = next++
        await cars[index]!.begin(target.stations[index]!.token)
      }
    }
    await Promise.all(Array.from({ length: OPENED_AT_ONCE }, worker))
  },

  /** Each station sends so many messages, one after the other's answer. */
  async round(name: string, messagesEach: number): Promise<{ wallSeconds: number; cpuSeconds: number }> {
    return await measure(async () => {
      const tellAll = async (car: Car): Promise<void> => {
        for (let i = 0; i < messagesEach; i++) await car.tell()
      }
      await Promise.all(fleetOf(name).map(tellAll))
    })
  },

  /** The fleet in turn at an even pace, whether or not answers have come; each message's wait for its answer, milliseconds. */
  async paced(name: string, { messagesPerSecond, seconds }: Paced): Promise<number[]> {
    const cars = fleetOf(name)
    const waitsMs: number[] = []
    const under: Promise<void>[] = []
    const startMs = performance.now()
    for (let i = 0; i < messagesPerSecond * seconds; i++) {
      const dueMs = startMs + (i * 1_000) / messagesPerSecond
      const earlyMs = dueMs - performance.now()
      if (earlyMs > 1) await sleep(earlyMs)
      under.push(
        cars[i % cars.length]!.tell().then(() => {
          waitsMs.push(performance.now() - dueMs)
        }),
      )
    }
    await Promise.all(under)
    return waitsMs
  },

  /** All stations are told that their line is dead, as it is when the other end was killed. Resolves when all are back. */
  async comeBack(name: string): Promise<void> {
    const cars = fleetOf(name)
    for (const { station } of cars) station.cutLink()
    await Promise.all(cars.map((car) => car.comeBack()))
  },
}
export type StationCalls = typeof calls

if (import.meta.main) serveCalls(calls)
