import { availableParallelism } from 'node:os'
import { BareVerify } from './bareVerify.ts'
import {
  type Benchmark,
  type BenchOptions,
  type BenchResult,
  medians,
  type Profiled,
  type Rounds,
  WARM_UPS,
} from './benchmark.ts'
import { REQUEST_RECORDS } from './feeder.ts'
import { LoadGenerator } from './loadGenerator.ts'
import type { Target } from './loadProcess.ts'
import { measure, type Window } from './measure.ts'
import { openWiredLane } from './wiredLane.ts'
import { Workload } from './workload.ts'

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
    module: import.meta.url,
    title: `P-256 records, ${kind} frames to durable answers, beside bare crypto.verify on all cores`,
    aims: { cpu: { atLeast: aim } },
    run: (options) => run(kind, options),
  }
}

/** V8 goes on compiling for some ten rounds, a few seconds of a process that runs for months. */
const LONG_WARM_UPS = 8

async function run(kind: Target['kind'], options: BenchOptions): Promise<BenchResult> {
  const shape = SHAPES[kind]
  const requestsEach = Math.max(1, Math.round((options.quick ? 8 : 32) / (shape.connections / 4)))
  const { evses } = options
  const warmUps = options.quick ? WARM_UPS : LONG_WARM_UPS
  await using p256 = await openP256({ ...shape, kind, evses, requestsEach, recordsEach: REQUEST_RECORDS, warmUps })
  const { cpu, wall, wallWithoutLoad, ...figures } = await medians(options.rounds, p256.round, warmUps)
  return { ratios: { cpu: cpu!, wall: wall!, wallWithoutLoad: wallWithoutLoad! }, figures, profiled: p256.profiled() }
}

export interface P256Setting extends Shape {
  readonly kind: Target['kind']
  readonly evses: number
  /** Of each connection, a round. */
  readonly requestsEach: number
  readonly recordsEach: number
  /** Rounds that are not profiled. Default: those of every benchmark. */
  readonly warmUps?: number
  /** That verify, in the pipeline and in the limit. Default: one a core. */
  readonly threads?: number
}

/** A pipeline and bare loops that take turns, round by round. */
export async function openP256(setting: P256Setting): Promise<Rounds & { profiled(): Profiled }> {
  const { kind, evses, connections, inFlight, requestsEach, recordsEach, threads, warmUps = WARM_UPS } = setting
  await using opening = new AsyncDisposableStack()
  const workload = new Workload({ evses, keys: true })
  const records = requestsEach * connections * recordsEach
  const wired = opening.use(await openWiredLane(workload, threads === undefined ? {} : { workers: threads }))
  const generator = opening.use(await LoadGenerator.open(workload, connections))
  const bare = opening.use(new BareVerify(workload, await generator.sample(evses), threads))
  await generator.connect(await wired.listen(kind))

  // The first round parses every key in every worker, as a sequencer does once after its start.
  const everyKey = Math.ceil((4 * evses) / (connections * recordsEach))
  const windows: Window[] = []
  let counted = 0
  const round = async (index: number): Promise<Record<string, number>> => {
    const requests = index === 0 ? Math.max(2 * requestsEach, everyKey) : requestsEach
    const sent = await generator.load(requests, recordsEach)
    let load = { settled: 0, cpuSeconds: 0 }
    const pipeline = () =>
      measure(async () => {
        load = await generator.go({ inFlight })
      })
    const first = index % 2 === 0 ? await pipeline() : undefined
    const limit = await bare.run(records)
    const spent = first ?? (await pipeline())
    if (load.settled !== sent) throw new Error(`${load.settled} of ${sent} records settled`)
    if (index >= warmUps) {
      counted += sent
      windows.push(spent)
    }
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
      feedsCores: spent.cpuSeconds / spent.threadSeconds - 1,
      loadCpuMicros: (load.cpuSeconds / sent) * 1e6,
      recordsPerCpuSecond: 1 / cpu,
      barePerCpuSecond: 1 / bareCpu,
      recordsPerSecond: sent / spent.wallSeconds,
      barePerSecond: records / limit.wallSeconds,
    }
  }
  const parts = opening.move()
  return { round, profiled: () => ({ windows, records: counted }), [Symbol.asyncDispose]: () => parts.disposeAsync() }
}
