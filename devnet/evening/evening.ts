import { join } from 'node:path'
import { dollars } from '../../bridge/money.ts'
import { ReceiptVerifier } from '../../client/receiptVerifier.ts'
import { beaconConfigSchema, beaconSource } from '../../l1/derive/beacon.ts'
import type { LogLevel } from '../../runtime/log.ts'
import { createLogger } from '../../runtime/log.ts'
import { devnetAccounts } from '../accounts.ts'
import { startDevnetBroker } from '../broker.ts'
import { seededEvseSigner } from '../evseSigner.ts'
import { freePort } from '../freePort.ts'
import { payEverybody } from '../payout.ts'
import { grouped, type Screen } from '../screen.ts'
import { startDevnetSequencer } from '../services.ts'
import { startWorld } from '../startWorld.ts'
import { temporaryFolder } from '../temporaryFolder.ts'
import { BackOffice } from './backOffice.ts'
import { openChargers } from './chargers.ts'
import { planDisturbances } from './disturbances.ts'
import { writeEveningFiles } from './eveningFiles.ts'
import { GatewayProcess } from '../gateway/gatewayProcess.ts'
import { GatewayView, isAllTold } from '../gateway/gatewayView.ts'
import { readLaneOnL1 } from './onL1.ts'
import { type EveningSize, eveningPlan } from './plan.ts'
import { playEvening } from './play.ts'
import { eveningDifferences, metered, mostMicro, toldDifferences } from './verdict.ts'

export interface EveningOptions extends EveningSize {
  readonly kills: number
  readonly brokerRestarts: number
  readonly logLevel: LogLevel
  readonly screen: Screen
  readonly signal: AbortSignal
  /** The gateway's own log is kept here; default: it goes with everything else. */
  readonly gatewayLog?: string | undefined
}

const SPARE_MICRO = 100_000_000n
const SECONDS_A_MINUTE = 60

/** How to have the same evening again. */
export function eveningCommand({ seed, ocppEvses, mqttEvses, periods, kills, brokerRestarts }: EveningOptions): string {
  const size = `--ocpp ${ocppEvses} --mqtt ${mqttEvses} --periods ${periods}`
  return `backfeed devnet evening --seed ${seed} ${size} --kills ${kills} --broker-restarts ${brokerRestarts}`
}

/**
 * An evening of a real gateway among real clients, disturbed on purpose: what its meters say must be on L1, to the watt-hour. Returns
 * what does not agree; empty when all is well. Whatever happens, nothing is left running and nothing on disk.
 */
export async function runEvening(options: EveningOptions): Promise<readonly string[]> {
  const { screen, signal, seed, kills, brokerRestarts } = options
  await using cleanup = new AsyncDisposableStack()
  const folder = temporaryFolder('backfeed-evening-', cleanup)
  const plan = eveningPlan(options)
  const { scenario, sessions } = plan
  const minutes = (scenario.steps.at(-1)!.untilSeconds - scenario.startSeconds) / SECONDS_A_MINUTE
  const disturbances = planDisturbances({ seed, minutes, evses: scenario.evses.length, kills, brokerRestarts })
  screen.heading(`Devnet: ${scenario.title}`)
  screen.line(`  again by: ${eveningCommand(options)}`)

  const accounts = devnetAccounts(seed, scenario.cars.length)
  const onProgress = (what: string): void => {
    signal.throwIfAborted()
    screen.event(what)
  }
  const signers = scenario.evses.map((_, index) => seededEvseSigner(seed, index))
  const fundingMicro = mostMicro(plan, sessions) + SPARE_MICRO
  const population = { scenario, signers, owners: accounts.owners, fundingMicro }
  const world = await startWorld({ accounts, populations: [population], onProgress }, cleanup)
  const { node, contracts, publisher } = world
  const [lane] = world.lanes
  const { logLevel } = options
  const sequencer = cleanup.use(await startDevnetSequencer({ ...world, folder, data: 'blob', logLevel }))
  const broker = cleanup.use(await startDevnetBroker())
  const backOffice = cleanup.use(await BackOffice.open(seed))
  const [ocppPort, httpPort] = [await freePort(), await freePort()]
  const configPath = writeEveningFiles({
    folder,
    plan,
    lane,
    rpcUrl: node.url,
    contracts,
    sequencers: [sequencer.url, sequencer.multiaddrs[0]!],
    brokerUrl: broker.url,
    ocppPort,
    httpPort,
    backOffice,
  })
  const view = new GatewayView(`http://127.0.0.1:${httpPort}`, signal)
  const logPath = options.gatewayLog ?? join(folder, 'gateway.log')
  const gateway = cleanup.use(new GatewayProcess({ configPath, statusUrl: view.statusUrl, logPath }))
  await gateway.start(signal)
  screen.event(
    `gateway at http://127.0.0.1:${httpPort}, stations at ws://127.0.0.1:${ocppPort}, broker at ${broker.url}`,
  )

  const receipts = new ReceiptVerifier({
    chainId: BigInt(node.client.chain.id),
    rollup: contracts.rollup,
    operatorOf: (of) => (of === lane ? accounts.laneOperator.address : undefined),
    now: () => Math.floor(node.nowMs() / 1_000),
  })
  const log = createLogger({ service: 'chargers', level: logLevel, destination: process.stderr })
  const chargers = cleanup.use(
    openChargers({
      plan,
      lane,
      chainId: BigInt(node.client.chain.id),
      rollup: contracts.rollup,
      ocppUrl: `ws://127.0.0.1:${ocppPort}`,
      brokerUrl: broker.url,
      receipts,
      now: () => node.nowMs(),
      log,
      signal,
    }),
  )
  screen.heading('Cars feed back')
  const totals = await playEvening({
    plan,
    disturbances,
    chargers: chargers.list,
    gateway,
    view,
    broker,
    node,
    publisher,
    sequencer,
    lane,
    screen,
    signal,
  })
  screen.event(
    `${totals.kills} kills of the gateway, ${totals.brokerRestarts} restarts of the broker, ${grouped(totals.cuts)} cut links, ` +
      `${grouped(totals.repeats)} deliberate repeats`,
  )
  await chargers.close()
  await view.until('the back office knows all sessions', isAllTold)
  const code = await gateway.stop()

  screen.heading('What L1 says')
  const blobs = { sources: [beaconSource(beaconConfigSchema.parse({ url: node.url, blockId: 'number' }))] }
  const settings = { client: node.client, contracts, lane, blobs, signal }
  const onL1 = await readLaneOnL1(settings)
  const payout = await payEverybody({
    ...settings,
    node,
    caller: accounts.passerBy,
    owners: accounts.owners,
    onProgress: (text) => screen.event(text),
  })
  const found = [
    ...eveningDifferences({ plan, onL1, paidMicro: payout.paidMicro }),
    ...toldDifferences(onL1, backOffice.records),
    ...(backOffice.forged === 0 ? [] : [`${backOffice.forged} events for the back office were not signed`]),
    ...(code === 0 ? [] : [`the gateway ended with ${code ?? 'a signal'}: ${await gateway.lastLines()}`]),
  ]
  const creditedWh = onL1.settled.reduce((sum, { record }) => sum + record.energyWh, 0)
  const creditedMicro = onL1.settled.reduce((sum, { amountMicro }) => sum + BigInt(amountMicro), 0n)
  screen.line(`  metered               ${grouped(metered(plan).totalWh)} Wh at ${scenario.evses.length} chargers`)
  screen.line(`  credited on L1        ${grouped(creditedWh)} Wh in ${grouped(onL1.settled.length)} records`)
  screen.line(`  earned                $${dollars(creditedMicro)}`)
  screen.line(
    `  told a back office    ${grouped(backOffice.sessions)} sessions, ${grouped(backOffice.records.length)} records, in ` +
      `${grouped(backOffice.deliveries)} deliveries`,
  )
  screen.line()
  if (found.length === 0)
    screen.line('  Every watt-hour that was metered is credited once, and paid to the last millionth.')
  else for (const difference of found.slice(0, 20)) screen.line(`  ${difference}`)
  if (found.length > 20) screen.line(`  … and ${found.length - 20} more differences`)
  if (found.length > 0) screen.line(`  again by: ${eveningCommand(options)}`)
  return found
}
