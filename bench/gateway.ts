import { fork } from 'node:child_process'
import { once } from 'node:events'
import { unsettled } from '../devnet/gateway/gatewayView.ts'
import { pause } from '../runtime/wait.ts'
import { type Benchmark, type BenchOptions, type BenchResult, medians, quantile } from './benchmark.ts'
import type { BareCalls } from './gateway/bareProcess.ts'
import type { EvseCalls, TrialEnd } from './gateway/evseProcess.ts'
import { GatewayMetrics } from './gateway/gatewayMetrics.ts'
import { HelperProcess } from './helperProcess.ts'
import { openSite, type Site } from './gateway/site.ts'
import type { StationCalls } from './gateway/stationProcess.ts'

/** EVSEs that send telemetry, of all. */
const WATCHED_SHARE = 1 / 10
const TELEMETRY_HZ = 10
/** Ten times what a thousand stations send that report each minute. */
const MESSAGES_PER_STATION_AND_SECOND = 1 / 6
/** The fail-safe's own limit for telemetry (docs/gateway.md): what comes on top of it is latency. */
const STALE_MS = 200
const QUICK_STATIONS = 100

export const gateway: Benchmark = {
  name: 'gateway',
  module: import.meta.url,
  title: 'one gateway with all its stations and EVSEs connected, beside a bare OCPP server and a bare MQTT echo',
  aims: { staleP99Ms: { atMost: 100 }, hotP99Ms: { atMost: 100 } },
  run,
}

interface Parts {
  readonly site: Site
  readonly stations: HelperProcess<StationCalls>
  readonly bare: HelperProcess<BareCalls>
  readonly evses: HelperProcess<EvseCalls>
  readonly options: BenchOptions
}

type Figures = Record<string, number>

async function run(options: BenchOptions): Promise<BenchResult> {
  // A gateway that is asked for a profile writes it at its end.
  const profile = process.execArgv.filter(
    (flag, i, all) => flag.startsWith('--cpu-prof') || all[i - 1] === '--cpu-prof-dir',
  )
  if (profile.length > 0) process.env.NODE_OPTIONS = profile.join(' ')
  const evses = options.quick ? Math.min(options.evses, QUICK_STATIONS) : options.evses
  // They load while the world is built.
  await using stations = new HelperProcess<StationCalls>(new URL('./gateway/stationProcess.ts', import.meta.url))
  await using bare = new HelperProcess<BareCalls>(new URL('./gateway/bareProcess.ts', import.meta.url))
  await using evseFleet = new HelperProcess<EvseCalls>(new URL('./gateway/evseProcess.ts', import.meta.url))
  await using site = await openSite({ evses, watched: Math.ceil(evses * WATCHED_SHARE) })
  const parts: Parts = { site, stations, bare, evses: evseFleet, options }

  const connecting = await connected(parts)
  const idle = await atRest(parts)
  const { cpu, wall, ...taken } = await takenDurably(parts)
  const telemetry = await withTelemetry(parts, idle.idleCpuShare!)
  const { hotP50OfEcho, ...loaded } = await underLoad(parts)
  const restarted = await restart(parts, profile.length > 0)
  return {
    ratios: { cpu: cpu!, wall: wall!, hotP50OfEcho: hotP50OfEcho! },
    figures: {
      ...connecting,
      ...idle,
      ...taken,
      ...telemetry,
      ...loaded,
      ...restarted,
      isMosquitto: site.broker.isMosquitto,
    },
  }
}

async function connected({ site, stations, bare }: Parts): Promise<Figures> {
  const port = await bare.ask('listen')
  const url = `ws://127.0.0.1:${port}`
  await stations.ask('open', 'bare', { ...site.stations, url, password: undefined })
  const count = site.stations.stations.length
  const before = await GatewayMetrics.read(site.metricsUrl)
  await stations.ask('open', 'gateway', site.stations)
  const after = await GatewayMetrics.read(site.metricsUrl)
  return {
    stations: count,
    connectSeconds: (after.atMs - before.atMs) / 1e3,
    connectCpuMs: ((after.cpuSeconds - before.cpuSeconds) / count) * 1e3,
  }
}

async function atRest({ site, options }: Parts): Promise<Figures> {
  const before = await GatewayMetrics.read(site.metricsUrl)
  await pause(options.quick ? 3_000 : 15_000)
  const after = await GatewayMetrics.read(site.metricsUrl)
  return { idleCpuShare: after.cpuShare(before), idleResidentMb: after.residentMb }
}

/** Every station sends as fast as it is answered: the gateway and the bare server in turn. */
async function takenDurably({ site, stations, bare, options }: Parts): Promise<Figures> {
  const each = options.quick ? 4 : 6
  const messages = each * site.stations.stations.length
  return await medians(options.rounds, async () => {
    const bareBefore = await bare.ask('cpuSeconds')
    const limit = await stations.ask('round', 'bare', each)
    const bareSeconds = (await bare.ask('cpuSeconds')) - bareBefore
    const before = await GatewayMetrics.read(site.metricsUrl)
    const real = await stations.ask('round', 'gateway', each)
    const after = await GatewayMetrics.read(site.metricsUrl)
    const cpuSeconds = after.cpuSeconds - before.cpuSeconds
    return {
      cpu: bareSeconds / cpuSeconds,
      wall: limit.wallSeconds / real.wallSeconds,
      eventsPerSecond: messages / real.wallSeconds,
      eventCpuMicros: (cpuSeconds / messages) * 1e6,
      bareEventsPerSecond: messages / limit.wallSeconds,
      bareEventCpuMicros: (bareSeconds / messages) * 1e6,
      stationsCpuMicros: (real.cpuSeconds / messages) * 1e6,
    }
  })
}

async function withTelemetry({ site, evses, bare, options }: Parts, idleCpuShare: number): Promise<Figures> {
  const { lane, watched, broker } = site
  await bare.ask('echo', broker.url)
  await evses.ask('open', { brokerUrl: broker.url, lane, names: watched, telemetryHz: TELEMETRY_HZ })
  await evses.ask('begin')
  const before = await GatewayMetrics.read(site.metricsUrl)
  const takenBefore = before.count('backfeed_control_decision_seconds')
  await pause(options.quick ? 3_000 : 10_000)
  const after = await GatewayMetrics.read(site.metricsUrl)
  const messages = after.count('backfeed_control_decision_seconds') - takenBefore
  const seconds = (after.atMs - before.atMs) / 1_000
  const share = after.cpuShare(before)
  return {
    telemetryPerSecond: messages / seconds,
    telemetryCpuShare: share,
    telemetryCpuMicros: ((share - idleCpuShare) * seconds * 1e6) / messages,
  }
}

/** Telemetry of all that send any, and messages of all stations, while EVSEs fall silent or grow hot in turn. */
async function underLoad({ site, stations, evses, options }: Parts): Promise<Figures> {
  const probe = fork(new URL('./loopProbe.ts', import.meta.url), {
    execArgv: [],
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  try {
    const trials = options.quick ? 100 : 500
    const everyMs = options.quick ? 30 : 40
    const messagesPerSecond = Math.ceil(site.stations.stations.length * MESSAGES_PER_STATION_AND_SECOND)
    const before = await GatewayMetrics.read(site.metricsUrl)
    const seconds = Math.ceil((2 * trials * everyMs) / 1_000) + 1
    const pacing = stations.ask('paced', 'gateway', { messagesPerSecond, seconds })
    const hot = await evses.ask('probe', 'hot', trials, everyMs)
    const stale = await evses.ask('probe', 'stale', trials, everyMs)
    const after = await GatewayMetrics.read(site.metricsUrl)
    const answersMs = await pacing
    probe.send('read')
    const [seen] = (await once(probe, 'message')) as [{ maxMs: number; p99Ms: number }]
    const ends = [...hot.ends, ...stale.ends]
    const count = (matches: (end: TrialEnd) => boolean): number => ends.filter(matches).length
    const tookMs = (of: readonly TrialEnd[]): number[] => of.flatMap((end) => (end.kind === 'paused' ? end.tookMs : []))
    const hotMs = tookMs(hot.ends)
    // A pause before its time is another's: on a busy machine a message came late.
    const beyondMs = tookMs(stale.ends).map((ms) => ms - STALE_MS)
    const late = beyondMs.filter((ms) => ms >= 0)
    const stops = await evses.ask('stops')
    const echoMs = [...hot.echoMs, ...stale.echoMs]
    const decision = 'backfeed_control_decision_seconds'
    const hotP50Ms = quantile(hotMs, 0.5)
    const echoP50Ms = quantile(echoMs, 0.5)
    return {
      hotP50OfEcho: echoP50Ms / hotP50Ms,
      hotP50Ms,
      hotP99Ms: quantile(hotMs, 0.99),
      staleP50Ms: quantile(late, 0.5),
      staleP99Ms: quantile(late, 0.99),
      withoutPause: count(({ kind }) => kind === 'noPause'),
      notFlowing: count(({ kind }) => kind === 'notFlowing'),
      notFlowingAgain: count((end) => end.kind === 'paused' && !end.flowsAgain),
      stops: stops.length,
      pausedEarly: beyondMs.filter((ms) => ms < 0).length,
      echoP50Ms,
      echoP99Ms: quantile(echoMs, 0.99),
      decisionMeanMicros: after.mean(decision, before) * 1e6,
      decisionP50Micros: after.quantile(decision, 0.5, before) * 1e6,
      decisionP99Micros: after.quantile(decision, 0.99, before) * 1e6,
      wakeLateP99Ms: after.quantile('backfeed_control_wake_late_seconds', 0.99, before) * 1e3,
      answerP50Ms: quantile(answersMs, 0.5),
      answerP99Ms: quantile(answersMs, 0.99),
      loadMessagesPerSecond: messagesPerSecond,
      loadCpuShare: after.cpuShare(before),
      loadResidentMb: after.residentMb,
      idleProcessP99Ms: seen.p99Ms,
      idleProcessMaxMs: seen.maxMs,
    }
  } finally {
    probe.send('stop')
  }
}

/** Killed, started again, and every station back with what it metered meanwhile answered. */
async function restart({ site, stations, evses }: Parts, isProfiled: boolean): Promise<Figures> {
  await (isProfiled ? site.gateway.stop() : site.gateway.kill())
  const fromMs = performance.now()
  const back = stations.ask('comeBack', 'gateway')
  await site.gateway.start(site.signal)
  const answersSeconds = (performance.now() - fromMs) / 1e3
  await back
  const backSeconds = (performance.now() - fromMs) / 1e3
  const after = await GatewayMetrics.read(site.metricsUrl)
  const status = await site.view.status()
  await evses.ask('close')
  return {
    restartAnswersSeconds: answersSeconds,
    restartBackSeconds: backSeconds,
    restartCpuSeconds: after.cpuSeconds,
    recordsWaiting: status === undefined ? Number.NaN : unsettled(status),
  }
}
