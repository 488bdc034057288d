import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { erc20Abi } from 'viem'
import { dollars } from '../bridge/money.ts'
import { beaconSource, beaconConfigSchema } from '../l1/derive/beacon.ts'
import { contractsOf } from '../l1/operate/deployment.ts'
import type { LogLevel } from '../runtime/log.ts'
import { devnetAccounts } from './accounts.ts'
import { seededEvseSigner } from './evseSigner.ts'
import { Fleet } from './fleet.ts'
import type { PlainCredits } from './independent/independentSettlement.ts'
import { readL1Costs } from './l1Costs.ts'
import { LaneApi } from './laneApi.ts'
import { startL1Node } from './l1Node.ts'
import { type Payout, payEverybody } from './payout.ts'
import { playScenario } from './play.ts'
import { PricePublisher } from './pricePublisher.ts'
import { type Scenario, scenarioDischarges } from './scenario.ts'
import { grouped, type Screen } from './screen.ts'
import { startDevnetProver, startDevnetSequencer } from './services.ts'
import { newTally, openGateways } from './submitting.ts'
import { printSummary, type RunFigures } from './summary.ts'
import { differences } from './verdict.ts'
import { buildWorld, WORLD_LEAD_SECONDS } from './world.ts'

export interface DevnetOptions {
  readonly seed: string
  readonly scenario: Scenario
  /** What everybody is owed, by the calculation that shares no code with settlement. */
  readonly independent: PlainCredits
  readonly data: 'blob' | 'calldata'
  readonly logLevel: LogLevel
  readonly screen: Screen
  readonly signal: AbortSignal
}

/** Escrow beyond what is owed, so that the last record settles whatever the order. */
const SPARE_MICRO = 100_000_000n
const DOLLAR_MICRO = 1_000_000n

/**
 * Runs everything on one machine: L1, sequencer, prover, a fleet, and at the end every owner's money. Returns what does not agree;
 * empty when all is well. Whatever happens, nothing is left running and nothing on disk.
 */
export async function runDevnet(options: DevnetOptions): Promise<readonly string[]> {
  const { scenario, screen, signal, seed, independent } = options
  await using cleanup = new AsyncDisposableStack()
  const folder = temporaryFolder(cleanup)
  screen.heading(`Devnet: ${scenario.title}`)

  const accounts = devnetAccounts(seed, scenario.cars.length)
  const signers = scenario.evses.map((_, index) => seededEvseSigner(seed, index))
  const node = cleanup.use(await startL1Node({ startSeconds: scenario.startSeconds - WORLD_LEAD_SECONDS }))
  screen.event(`L1 node at ${node.url}, its clock at ${new Date(node.nowMs()).toISOString()}`)
  const world = await buildWorld({
    node,
    accounts,
    scenario,
    signers,
    fundingMicro: roundedUp(independent.totalMicro) + SPARE_MICRO,
    onProgress: (what) => {
      signal.throwIfAborted()
      screen.event(what)
    },
  })
  screen.event(`lane ${world.lane} funded with $${dollars(world.fundedMicro)}`)
  const publisher = new PricePublisher({
    caller: { client: node.client, account: accounts.publisher },
    tariff: world.deployment.tariff,
    zone: world.zone,
    prices: scenario.prices,
  })
  await publisher.publishBefore(scenario.startSeconds)
  // Everything is in force before anything is measured.
  await node.moveTo(scenario.startSeconds - 1)

  const contracts = contractsOf(world.deployment)
  const services = {
    node,
    contracts,
    lane: world.lane,
    accounts,
    folder,
    data: options.data,
    logLevel: options.logLevel,
  }
  const sequencer = cleanup.use(await startDevnetSequencer(services))
  screen.event(`sequencer at ${sequencer.url} and ${sequencer.multiaddrs[0]}`)
  const prover = cleanup.use(await startDevnetProver(services))
  screen.event(`prover at ${prover.url}`)
  let fault: unknown
  for (const service of [sequencer, prover]) service.done.catch((error: unknown) => (fault = error))

  const tally = newTally()
  const laneOperator = accounts.laneOperator.address
  const fleet = new Fleet({
    signers,
    evses: scenario.evses,
    chainId: BigInt(node.client.chain.id),
    rollup: contracts.rollup,
    lane: world.lane,
  })
  const gateways = cleanup.use(
    await openGateways({
      fleet,
      lane: world.lane,
      httpUrl: sequencer.url,
      libp2pAddress: sequencer.multiaddrs[0]!,
      tally,
      trust: {
        chainId: BigInt(node.client.chain.id),
        rollup: contracts.rollup,
        operatorOf: (lane) => (lane === world.lane ? laneOperator : undefined),
        now: () => Math.floor(node.nowMs() / 1000),
      },
    }),
  )
  screen.heading('Cars feed back')
  const playStartedAt = performance.now()
  await playScenario({
    scenario,
    node,
    api: new LaneApi(sequencer.url, world.lane),
    gateways,
    tally,
    publisher,
    closeBatch: () => sequencer.closeBatch(world.lane),
    screen,
    signal,
    failed: () => fault,
  })
  const playMs = performance.now() - playStartedAt
  screen.event(`${grouped(tally.settled)} records settled`)
  await untilAborted(prover.idle(), signal)
  const { checked, frauds, problems } = prover.status()
  screen.event(`the prover re-executed ${grouped(checked.chunks)} chunks of ${checked.batches} batches`)

  screen.heading('Owners fetch their money')
  const beacon = beaconSource(beaconConfigSchema.parse({ url: node.url, blockId: 'number' }))
  const payout = await payEverybody({
    client: node.client,
    contracts,
    lane: world.lane,
    blobs: { sources: [beacon] },
    signal,
    node,
    caller: accounts.passerBy,
    owners: accounts.owners,
    onProgress: (text) => screen.event(text),
  })
  const costs = await readL1Costs(node.client, contracts, world.lane)
  const escrowMicro = await node.client.readContract({
    address: contracts.token,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [contracts.vault],
  })
  const found = [
    ...differences({
      independent,
      creditedMicro: tally.creditedMicro,
      paidMicro: payout.paidMicro,
      fundedMicro: world.fundedMicro,
      escrowMicro,
      carCount: scenario.cars.length,
      submitted: scenarioDischarges(scenario).length,
      refused: [...tally.refused.values()].reduce((sum, count) => sum + count, 0),
      receipts: tally.receipts,
      chunksPosted: costs.chunks,
      chunksChecked: checked.chunks,
    }),
    ...problems.map(({ code, message }) => `the prover reports ${code}: ${message}`),
    ...(frauds.proven > 0 ? [`the prover proved ${frauds.proven} batches false`] : []),
  ]
  printSummary(screen, figures({ options, world, tally, costs, payout, checked, playMs }), found)
  return found
}

function figures(parts: {
  options: DevnetOptions
  world: { fundedMicro: bigint }
  tally: ReturnType<typeof newTally>
  costs: RunFigures['costs']
  payout: Payout
  checked: RunFigures['checked']
  playMs: number
}): RunFigures {
  const { options, world, ...rest } = parts
  return { ...rest, fundedMicro: world.fundedMicro, independent: options.independent, scenario: options.scenario }
}

/** Goes when the run ends, and also when the process is made to end before that. */
function temporaryFolder(cleanup: AsyncDisposableStack): string {
  const folder = mkdtempSync(join(tmpdir(), 'backfeed-devnet-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  cleanup.defer(() => {
    process.off('exit', remove)
    remove()
  })
  return folder
}

function roundedUp(micro: bigint): bigint {
  return ((micro + DOLLAR_MICRO - 1n) / DOLLAR_MICRO) * DOLLAR_MICRO
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}
