import { erc20Abi } from 'viem'
import { dollars } from '../bridge/money.ts'
import { beaconSource, beaconConfigSchema } from '../l1/derive/beacon.ts'
import type { L1Account } from '../l1/client.ts'
import { Scheme } from '../protocol/scheme.ts'
import type { LogLevel } from '../runtime/log.ts'
import { devnetAccounts } from './accounts.ts'
import { seededBlsSigner, seededEvseSigner } from './evseSigner.ts'
import { Fleet } from './fleet.ts'
import type { PlainCredits } from './independent/independentSettlement.ts'
import { addCosts, readL1Costs } from './l1Costs.ts'
import { LaneApi } from './laneApi.ts'
import { type LaneShare, shareOut } from './laneShares.ts'
import { mergePayouts, type Payout, payEverybody } from './payout.ts'
import { type PlayedLane, playScenario } from './play.ts'
import { type Scenario, scenarioDischarges } from './scenario.ts'
import { grouped, type Screen } from './screen.ts'
import { startDevnetProver, startDevnetSequencer } from './services.ts'
import { type Population, startWorld } from './startWorld.ts'
import { mergeTallies, newTally, openGateways } from './submitting.ts'
import { printSummary, type RunFigures } from './summary.ts'
import { temporaryFolder } from './temporaryFolder.ts'
import { differences } from './verdict.ts'

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
  const folder = temporaryFolder('backfeed-devnet-', cleanup)
  screen.heading(`Devnet: ${scenario.title}`)

  const accounts = devnetAccounts(seed, scenario.cars.length)
  const shares = shareOut(scenario)
  const onProgress = (what: string): void => {
    signal.throwIfAborted()
    screen.event(what)
  }
  const populationOf = (share: LaneShare): Population => ({
    scenario: share.scenario,
    signers: share.scenario.evses.map((_, index) =>
      share.scheme === Scheme.BLS ? seededBlsSigner(seed, index) : seededEvseSigner(seed, index),
    ),
    owners: accounts.owners.slice(share.firstCar, share.firstCar + share.scenario.cars.length),
    fundingMicro: roundedUp(owedIn(share, independent)) + SPARE_MICRO,
  })
  const [first, ...others] = shares.map(populationOf)
  const populations = [first!, ...others] as const
  const world = await startWorld({ accounts, populations, onProgress }, cleanup)
  const { node, contracts, publisher } = world
  const fundedMicro = populations.reduce((sum, { fundingMicro }) => sum + fundingMicro, 0n)
  screen.event(`${populations.length === 1 ? 'the lane is' : 'the lanes are'} funded with $${dollars(fundedMicro)}`)

  const services = { ...world, folder, data: options.data, logLevel: options.logLevel }
  const sequencer = cleanup.use(await startDevnetSequencer(services))
  screen.event(`sequencer at ${sequencer.url} and ${sequencer.multiaddrs[0]}`)
  const prover = cleanup.use(await startDevnetProver(services))
  screen.event(`prover at ${prover.url}`)
  let fault: unknown
  for (const service of [sequencer, prover]) service.done.catch((error: unknown) => (fault = error))

  const laneOperator = accounts.laneOperator.address
  const chainId = BigInt(node.client.chain.id)
  const lanes: (PlayedLane & { id: number; firstCar: number; owners: readonly L1Account[] })[] = []
  for (const [i, id] of world.lanes.entries()) {
    const { signers, owners } = populations[i]!
    const { scenario: own, firstCar } = shares[i]!
    const tally = newTally()
    const fleet = new Fleet({ signers, evses: own.evses, chainId, rollup: contracts.rollup, lane: id })
    const gateways = cleanup.use(
      await openGateways({
        fleet,
        lane: id,
        httpUrl: sequencer.url,
        libp2pAddress: sequencer.multiaddrs[0]!,
        tally,
        trust: {
          chainId,
          rollup: contracts.rollup,
          operatorOf: (lane) => (lane === id ? laneOperator : undefined),
          now: () => Math.floor(node.nowMs() / 1000),
        },
      }),
    )
    lanes.push({
      id,
      firstCar,
      owners,
      name: `lane ${id}, ${fleet.layout.name}`,
      scenario: own,
      api: new LaneApi(sequencer.url, id),
      gateways,
      tally,
      closeBatch: () => sequencer.closeBatch(id),
    })
  }
  screen.heading('Cars feed back')
  const playStartedAt = performance.now()
  await playScenario({ lanes, node, publisher, screen, signal, failed: () => fault })
  const playMs = performance.now() - playStartedAt
  const tally = mergeTallies(lanes)
  screen.event(`${grouped(tally.settled)} records settled`)
  await untilAborted(prover.idle(), signal)
  const { checked, frauds, problems } = prover.status()
  screen.event(`the prover re-executed ${grouped(checked.chunks)} chunks of ${checked.batches} batches`)

  screen.heading('Owners fetch their money')
  const beacon = beaconSource(beaconConfigSchema.parse({ url: node.url, blockId: 'number' }))
  const payouts: { payout: Payout; firstCar: number }[] = []
  for (const { id, firstCar, owners } of lanes) {
    const payout = await payEverybody({
      client: node.client,
      contracts,
      lane: id,
      blobs: { sources: [beacon] },
      signal,
      node,
      caller: accounts.passerBy,
      owners,
      onProgress: (text) => screen.event(`lane ${id}: ${text}`),
    })
    payouts.push({ payout, firstCar })
  }
  const payout = mergePayouts(payouts)
  const costs = addCosts(await Promise.all(world.lanes.map((lane) => readL1Costs(node.client, contracts, lane))))
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
      fundedMicro,
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
  printSummary(screen, figures({ options, fundedMicro, tally, costs, payout, checked, playMs }), found)
  return found
}

function figures(parts: {
  options: DevnetOptions
  fundedMicro: bigint
  tally: ReturnType<typeof newTally>
  costs: RunFigures['costs']
  payout: RunFigures['payout']
  checked: RunFigures['checked']
  playMs: number
}): RunFigures {
  const { options, ...rest } = parts
  return { ...rest, independent: options.independent, scenario: options.scenario }
}

function owedIn({ firstCar, scenario }: LaneShare, { creditedMicro }: PlainCredits): bigint {
  let owed = 0n
  for (let car = 0; car < scenario.cars.length; car++) owed += creditedMicro.get(firstCar + car) ?? 0n
  return owed
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
