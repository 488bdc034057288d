import { fork } from 'node:child_process'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { BareVerify } from './bareVerify.ts'
import { type Benchmark, type BenchOptions, type BenchResult, medians, quantile } from './benchmark.ts'
import { LoadGenerator } from './loadGenerator.ts'
import { PROBE_RESOLUTION_MS } from './loopProbe.ts'
import { measure } from './measure.ts'
import { openWiredLane } from './wiredLane.ts'
import { Workload } from './workload.ts'

/** Gateways that each report a minute of a few chargers at a time; full load is the client's default of eight full requests. */
const HALF = { connections: 8, records: 32 }
const FULL_IN_FLIGHT = 1
const FULL_RECORDS = 256
const SLAB_ROWS = 256

export const latency: Benchmark = {
  name: 'latency',
  module: import.meta.url,
  title: 'durable answers over libp2p at half and at full load, and how long the event loop is held',
  aims: {
    halfP99Ms: { atMost: 50 },
    fullP99Ms: { atMost: 250 },
    halfLoopMaxMs: { atMost: 20 },
    fullLoopMaxMs: { atMost: 20 },
  },
  run,
}

async function run(options: BenchOptions): Promise<BenchResult> {
  const workload = new Workload({ evses: options.evses, keys: true })
  await using wired = await openWiredLane(workload)
  await using generator = await LoadGenerator.open(workload, HALF.connections)
  await using bare = new BareVerify(workload, await generator.sample(options.evses))
  await generator.connect(await wired.listen('libp2p'))
  const probe = fork(new URL('./loopProbe.ts', import.meta.url), { execArgv: [] })
  const loop = monitorEventLoopDelay({ resolution: PROBE_RESOLUTION_MS })
  loop.enable()

  const load = async (requestsEach: number, recordsEach: number, requestsPerSecond?: number) => {
    const sent = await generator.load(requestsEach, recordsEach)
    probe.send('reset')
    loop.reset()
    let latenciesMs: readonly number[] = []
    const pace = requestsPerSecond === undefined ? {} : { requestsPerSecond }
    const spent = await measure(async () => {
      const run = await generator.go({ inFlight: FULL_IN_FLIGHT, ...pace })
      latenciesMs = run.latenciesMs
      if (run.settled !== sent) throw new Error('not every record settled')
    })
    const loopMaxMs = loop.max / 1e6 - PROBE_RESOLUTION_MS
    probe.send('read')
    const [seen] = (await once(probe, 'message')) as [{ maxMs: number }]
    const recordsPerSecond = sent / spent.wallSeconds
    return { latenciesMs, loopMaxMs, probeMaxMs: seen.maxMs, recordsPerSecond }
  }

  try {
    const requests = options.quick ? 4 : 10
    const round = async (): Promise<Record<string, number>> => {
      const limit = await bare.run(SLAB_ROWS * 8)
      const slabMs = (limit.cpuSeconds / 8) * 1e3
      const full = await load(requests, FULL_RECORDS)
      const halfRequests = full.recordsPerSecond / 2 / HALF.records
      const half = await load(requests * 4, HALF.records, halfRequests)
      const halfP99Ms = quantile(half.latenciesMs, 0.99)
      const fullP99Ms = quantile(full.latenciesMs, 0.99)
      return {
        halfP99InSlabs: halfP99Ms / slabMs,
        fullP99InSlabs: fullP99Ms / slabMs,
        slabMs,
        halfP50Ms: quantile(half.latenciesMs, 0.5),
        halfP99Ms,
        fullP50Ms: quantile(full.latenciesMs, 0.5),
        fullP99Ms,
        halfLoopMaxMs: half.loopMaxMs,
        halfProbeMaxMs: half.probeMaxMs,
        fullLoopMaxMs: full.loopMaxMs,
        fullProbeMaxMs: full.probeMaxMs,
        halfRecordsPerSecond: half.recordsPerSecond,
        fullRecordsPerSecond: full.recordsPerSecond,
      }
    }
    const { halfP99InSlabs, fullP99InSlabs, ...figures } = await medians(options.rounds, round)
    return { ratios: { halfP99InSlabs: halfP99InSlabs!, fullP99InSlabs: fullP99InSlabs! }, figures }
  } finally {
    loop.disable()
    probe.send('stop')
  }
}
