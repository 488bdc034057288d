import { availableParallelism } from 'node:os'
import { BareVerify } from './bareVerify.ts'
import { type Benchmark, type BenchOptions, type BenchResult, medians } from './benchmark.ts'
import { LoadGenerator } from './loadGenerator.ts'
import type { Target } from './loadProtocol.ts'
import { measure } from './measure.ts'
import { openWiredLane } from './wiredLane.ts'
import { inTurn, splitRows, Workload } from './workload.ts'

export const REQUEST_RECORDS = 256

interface Shape {
  readonly connections: number
  readonly inFlight: number
}

/** Under way at once: what keeps every worker's three slabs full and a write's worth waiting. */
const SHAPES: Readonly<Record<Target['kind'], Shape>> = {
  libp2p: { connections: 4, inFlight: 4 },
  'http-binary': { connections: 16, inFlight: 1 },
  'http-json': { connections: 16, inFlight: 1 },
}

export const p256Libp2p = p256('p256-libp2p', 'libp2p', 0.93)
export const p256HttpBinary = p256('p256-http-binary', 'http-binary', 0.93)
export const p256HttpJson = p256('p256-http-json', 'http-json', 0.85)

function p256(name: string, kind: Target['kind'], aim: number): Benchmark {
  return {
    name,
    title: `P-256 records, ${kind} frames to durable answers, beside bare crypto.verify on all cores`,
    aims: { cpu: { atLeast: aim } },
    run: (options) => run(kind, options),
  }
}

async function run(kind: Target['kind'], options: BenchOptions): Promise<BenchResult> {
  const workload = new Workload({ evses: options.evses, keys: true })
  const feeder = new Feeder(workload, SHAPES[kind].connections)
  const requestsEach = Math.max(1, Math.round((options.quick ? 8 : 32) / (SHAPES[kind].connections / 4)))
  const records = requestsEach * SHAPES[kind].connections * REQUEST_RECORDS
  await using bare = new BareVerify(workload, feeder.next(Math.ceil(options.evses / REQUEST_RECORDS)).rows)
  await using wired = await openWiredLane(workload)
  await using generator = await LoadGenerator.open(await wired.listen(kind), SHAPES[kind].connections)

  const round = async (index: number): Promise<Record<string, number>> => {
    // The first round parses every key in every worker, as a sequencer does once after its start.
    const bodies = feeder.next(index === 0 ? requestsEach * 2 : requestsEach).bodies
    await generator.load(bodies)
    const sent = bodies.flat().length * REQUEST_RECORDS
    let load = { settled: 0, cpuSeconds: 0 }
    const pipeline = () =>
      measure(async () => {
        load = await generator.go({ inFlight: SHAPES[kind].inFlight })
      })
    const first = index % 2 === 0 ? await pipeline() : undefined
    const limit = await bare.run(records)
    const spent = first ?? (await pipeline())
    if (load.settled !== sent) throw new Error(`${load.settled} of ${sent} records settled`)
    const bareCpu = limit.cpuSeconds / records
    const cpu = spent.cpuSeconds / sent
    return {
      cpu: bareCpu / cpu,
      wall: limit.wallSeconds / records / (spent.wallSeconds / sent),
      wallWithoutLoad:
        limit.wallSeconds / records / ((spent.wallSeconds - load.cpuSeconds / availableParallelism()) / sent),
      bareCpuMicros: bareCpu * 1e6,
      cpuMicros: cpu * 1e6,
      mainThreadMicros: (spent.threadSeconds / sent) * 1e6,
      loadCpuMicros: (load.cpuSeconds / sent) * 1e6,
      recordsPerSecond: sent / spent.wallSeconds,
      barePerSecond: records / limit.wallSeconds,
    }
  }
  const { cpu, wall, wallWithoutLoad, ...figures } = await medians(options.rounds, round)
  return { ratios: { cpu: cpu!, wall: wall!, wallWithoutLoad: wallWithoutLoad! }, figures }
}

/** Gives every connection its own EVSEs, since an EVSE's records must come in order. */
export class Feeder {
  readonly #workload: Workload
  readonly #turns: { next: number }[]

  constructor(workload: Workload, connections: number) {
    this.#workload = workload
    this.#turns = Array.from({ length: connections }, () => ({ next: 0 }))
  }

  /** So many requests of 256 for each connection; `rows`: all of them. */
  next(requestsEach: number, recordsEach = REQUEST_RECORDS): { bodies: Uint8Array[][]; rows: Uint8Array } {
    const { evses } = this.#workload
    const count = requestsEach * recordsEach
    const lists = this.#turns.map((turn, c) =>
      this.#workload.rows(inTurn(turn, { from: c, step: this.#turns.length, end: evses }, count), count),
    )
    return {
      bodies: lists.map((rows) => splitRows(rows, recordsEach, this.#workload.layout.rowBytes)),
      rows: Buffer.concat(lists),
    }
  }
}
