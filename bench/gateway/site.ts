import { join } from 'node:path'
import { devnetAccounts } from '../../devnet/accounts.ts'
import { GatewayProcess } from '../../devnet/gateway/gatewayProcess.ts'
import { GatewayView } from '../../devnet/gateway/gatewayView.ts'
import { seededEvseSigner } from '../../devnet/evseSigner.ts'
import { freePort } from '../../devnet/freePort.ts'
import type { Scenario } from '../../devnet/scenario.ts'
import { startDevnetSequencer } from '../../devnet/services.ts'
import { startWorld } from '../../devnet/startWorld.ts'
import { temporaryFolder } from '../../devnet/temporaryFolder.ts'
import { devnetTariff, incentiveBpsOf } from '../../devnet/terms.ts'
import { PERIOD_SECONDS } from '../../protocol/limits.ts'
import { type BenchBroker, startBenchBroker } from './broker.ts'
import { evseName, STATION_PASSWORD, stationName, tokenOf, writeSiteFiles } from './siteFiles.ts'
import type { StationsTarget } from './stationProcess.ts'
import { startUtility } from './utility.ts'

/** A real gateway on a devnet of real time, and everything that it talks to but its EVSEs. */
export interface Site extends AsyncDisposable {
  readonly gateway: GatewayProcess
  readonly view: GatewayView
  readonly metricsUrl: string
  readonly broker: BenchBroker
  readonly lane: number
  readonly stations: StationsTarget
  /** Names of EVSEs that are guarded by MQTT. */
  readonly watched: readonly string[]
  readonly signal: AbortSignal
}

const SEED = 'bench'
const FUNDING_MICRO = 1_000_000_000n
const PRICE_NANO = 250_000
/** Of each EVSE. */
const WANTED_W = 6_000
/** Prices are set in runs; two hours are more than any run takes. */
const PERIODS = 8
/** The devnet's chain makes no blocks by itself, and records wait for its clock. */
const BLOCK_MS = 1_000

export async function openSite({ evses, watched }: { evses: number; watched: number }): Promise<Site> {
  await using opened = new AsyncDisposableStack()
  const folder = temporaryFolder('backfeed-bench-', opened)
  const scenario = scenarioOf(evses)
  const accounts = devnetAccounts(SEED, evses)
  const signers = scenario.evses.map((_, index) => seededEvseSigner(SEED, index))
  const population = { scenario, signers, owners: accounts.owners, fundingMicro: FUNDING_MICRO }
  const world = await startWorld({ accounts, populations: [population], onProgress: () => {} }, opened)
  const { node, contracts } = world
  const [lane] = world.lanes
  await node.moveTo(Math.floor(Date.now() / 1_000))
  const sequencer = opened.use(await startDevnetSequencer({ ...world, folder, data: 'blob', logLevel: 'error' }))
  const broker = opened.use(await startBenchBroker(folder))
  const utility = opened.use(await startUtility(WANTED_W))
  const [ocppPort, httpPort] = [await freePort(), await freePort()]
  const configPath = await writeSiteFiles({
    folder,
    seed: SEED,
    lane,
    evses,
    watched,
    rpcUrl: node.url,
    contracts,
    sequencers: [sequencer.multiaddrs[0]!, sequencer.url],
    brokerUrl: broker.url,
    vtnUrl: utility.url,
    ocppPort,
    httpPort,
  })
  const stopping = new AbortController()
  opened.defer(() => stopping.abort())
  const url = `http://127.0.0.1:${httpPort}`
  const view = new GatewayView(url, stopping.signal)
  const logPath = join(folder, 'gateway.log')
  const gateway = opened.use(new GatewayProcess({ configPath, statusUrl: view.statusUrl, logPath }))
  let moving = Promise.resolve()
  const blocks = setInterval(() => {
    moving = moving.then(() => node.moveTo(Math.floor(Date.now() / 1_000))).catch(() => {}) // the node may have ended before us
  }, BLOCK_MS)
  opened.defer(async () => {
    clearInterval(blocks)
    await moving
  })
  await gateway.start(stopping.signal)
  const stations = Array.from({ length: evses }, (_, i) => ({ id: stationName(i), token: tokenOf(i) }))
  const kept = opened.move()
  return {
    gateway,
    view,
    metricsUrl: `${url}/metrics`,
    broker,
    lane,
    stations: { url: `ws://127.0.0.1:${ocppPort}`, stations, password: STATION_PASSWORD },
    watched: Array.from({ length: watched }, (_, i) => evseName(i)),
    signal: stopping.signal,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** In force since the period before this one. */
function scenarioOf(count: number): Scenario {
  const firstPeriod = Math.floor(Date.now() / 1_000 / PERIOD_SECONDS) - 1
  const all = Array.from({ length: count }, (_, index) => index)
  return {
    title: 'benchmark',
    startSeconds: firstPeriod * PERIOD_SECONDS,
    evses: all.map((index) => ({ ratedW: 11_000, lat: 525_000_000 + index, lon: 134_000_000, radiusM: 50 })),
    cars: all.map((index) => ({ incentiveBps: incentiveBpsOf(index), capacityWh: 77_000 })),
    tariff: devnetTariff,
    prices: [{ firstPeriod, nano: Array<number>(PERIODS).fill(PRICE_NANO) }],
    steps: [],
  }
}
