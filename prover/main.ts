import { join } from 'node:path'
import type { Address } from 'viem'
import { errorsAbi } from '../l1/abi/errors.ts'
import { rollupAbi } from '../l1/abi/rollup.ts'
import { accountFromKeyFile, connectL1, type L1Client } from '../l1/client.ts'
import { beaconSource } from '../l1/derive/beacon.ts'
import { openBlobArchive } from '../l1/derive/blobArchive.ts'
import { l1Error } from '../l1/errors.ts'
import { L1Follower } from '../l1/follow.ts'
import { readFinalBlock } from '../l1/finality.ts'
import { openLevelTxStore } from '../l1/txManager/levelStore.ts'
import { TxManager } from '../l1/txManager/manager.ts'
import { txPolicy } from '../l1/txManager/txPolicy.ts'
import type { BackfeedError } from '../runtime/errors.ts'
import { createLogger, type Logger } from '../runtime/log.ts'
import { createMetrics, type Metrics } from '../runtime/metrics.ts'
import { type Component, type Service, startService } from '../runtime/service.ts'
import { StatusServer } from '../runtime/statusServer.ts'
import { pause } from '../runtime/wait.ts'
import { type Attesting, openAttesting } from './attest/attesting.ts'
import type { ProverConfig } from './config.ts'
import { LaneWatch } from './replay/laneWatch.ts'
import { replayMetrics } from './replay/replayMetrics.ts'
import { SignaturePool } from './replay/signaturePool.ts'
import { CaseDesk } from './respond/caseDesk.ts'
import { CaseFiles } from './respond/caseFile.ts'
import { FraudView } from './respond/fraudView.ts'
import type { ProverProblem, ProverStatus } from './status.ts'
import { Watcher } from './watcher.ts'

export interface Prover extends Service {
  readonly url: string
  status(): ProverStatus
  /** Resolves when all that L1 held at the call is checked, and no false batch is being answered. */
  idle(): Promise<void>
}

export interface ProverOptions {
  signal?: AbortSignal
  log?: Logger
  /** Given when several services share a process. */
  metrics?: Metrics
}

/** Checks lanes against L1 alone, and answers false batches. Wires everything in the order in which it runs. */
export async function startProver(config: Readonly<ProverConfig>, options: ProverOptions = {}): Promise<Prover> {
  const { contracts } = config
  const log = options.log ?? createLogger({ service: 'prover', level: config.log.level })
  const metrics = options.metrics ?? createMetrics({ service: 'prover' })
  const client = await connectL1(config.l1)
  const folder = (name: string): string => join(config.prover.dataDir, name)
  const stopping = new AbortController()

  const fraudVerifier = await readFraudVerifier(client, contracts.rollup)
  const transactions = await openTransactions(config, { client, log, metrics })
  const follower = new L1Follower({ client, finality: config.prover.follow, pollMs: config.prover.pollMs, log })
  const attesting = await openSigning(config, { client, follower, log, metrics, transactions })
  // From here on nothing throws until the service has started, and then it is the service that cleans up.
  const verifier = new SignaturePool({ workers: config.prover.workers })
  const blobs = {
    archive: openBlobArchive(folder('blobs')),
    sources: config.l1.beacon.map(beaconSource),
    onNotKept: (err: BackfeedError) => log.error({ err }, 'a blob is checked and cannot be kept: is the disk full?'),
  }
  const checks = replayMetrics(metrics)
  const desk = transactions && openDesk(config, { client, log, metrics, manager: transactions.manager, fraudVerifier })
  const watcher = new Watcher({
    client,
    rollup: contracts.rollup,
    follower,
    lanes: config.prover.lanes,
    retryMs: config.prover.retryMs,
    log,
    openLane: (lane) =>
      new LaneWatch({ client, contracts, lane, blobs, verifier, metrics: checks, log, onRight: attesting?.onRight }),
    onFalse: (falsehood, followed) => desk?.open(falsehood, followed, stopping.signal),
  })

  const status = (): ProverStatus => ({
    lanes: watcher.lanes(),
    checked: checks.totals(),
    frauds: desk?.totals ?? { proven: 0, rewardWei: 0n, tooLate: 0 },
    ...(attesting === undefined ? {} : { attesting: attesting.status() }),
    problems: [...watcher.problems(), ...falseBatches(watcher, desk), ...(attesting?.problems() ?? [])],
  })
  const gauges = statusGauges(metrics, status)
  const refresh = (): void => {
    gauges()
    attesting?.refresh()
  }
  const server = new StatusServer({ ...config.http, metrics, log, problems: () => status().problems, status, refresh })

  const components: Component[] = [
    { name: 'signaturePool', stop: () => verifier.close() },
    ...(transactions === undefined ? [] : [{ name: 'txStore', stop: () => transactions.store.close() }]),
    follower,
    ...(transactions === undefined ? [] : [transactions.manager]),
    ...(attesting?.components ?? []),
    // Last to start and first to stop: cases end before what they send with.
    {
      name: 'cases',
      stop: async () => {
        stopping.abort()
        await desk?.settled()
      },
    },
    watcher,
    server,
  ]
  if (desk === undefined) log.warn('no key: false batches are reported, not answered')
  const service = await startService({
    name: 'prover',
    components,
    log,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  log.info({ url: server.url, rollup: contracts.rollup }, 'prover runs')

  const idle = async (): Promise<void> => {
    const target = await readFinalBlock(client, config.prover.follow, await client.getBlockNumber())
    const isDone = (): boolean =>
      watcher.checkedUpTo >= target && (desk?.isIdle ?? true) && falseBatches(watcher, desk).length === 0
    follower.poke()
    while (!isDone() && !stopping.signal.aborted) {
      await pause(20, stopping.signal)
      follower.poke()
    }
  }
  const { url } = server
  return { url, status, idle, done: service.done, stop: service.stop, [Symbol.asyncDispose]: service.stop }
}

interface Parts {
  readonly client: L1Client
  readonly log: Logger
  readonly metrics: Metrics
}

async function openTransactions(config: Readonly<ProverConfig>, { client, log, metrics }: Parts) {
  const { keyFile, dataDir } = config.prover
  if (keyFile === undefined) return undefined
  const store = await openLevelTxStore(join(dataDir, 'transactions'))
  const manager = new TxManager({
    client,
    account: accountFromKeyFile(keyFile),
    store,
    policy: txPolicy(config.transactions),
    log,
    metrics,
    abi: errorsAbi,
  })
  return { store, manager }
}

type Transactions = NonNullable<Awaited<ReturnType<typeof openTransactions>>>

async function openSigning(
  config: Readonly<ProverConfig>,
  parts: Parts & { follower: L1Follower; transactions: Transactions | undefined },
): Promise<Attesting | undefined> {
  if (config.attest === undefined) return undefined
  const { transactions } = parts
  try {
    return await openAttesting(config, config.attest, { ...parts, sender: transactions?.manager })
  } catch (error) {
    await transactions?.store.close()
    throw error
  }
}

async function readFraudVerifier(client: L1Client, rollup: Address): Promise<Address> {
  try {
    return await client.readContract({ address: rollup, abi: rollupAbi, functionName: 'verifier' })
  } catch (cause) {
    throw l1Error('reading the verifier of the rollup', cause)
  }
}

function openDesk(
  config: Readonly<ProverConfig>,
  parts: Parts & { manager: TxManager; fraudVerifier: Address },
): CaseDesk {
  const { client, log, metrics, manager, fraudVerifier } = parts
  const { rollup } = config.contracts
  const proven = metrics.counter({ name: 'prover_frauds_proven_total', help: 'Proofs of ours that L1 accepted' })
  const rewards = metrics.counter({ name: 'prover_rewards_ether', help: 'What they earned' })
  return new CaseDesk(
    {
      view: new FraudView(client, { rollup, verifier: fraudVerifier }),
      sender: manager,
      files: new CaseFiles(join(config.prover.dataDir, 'cases')),
      rollup,
      pollMs: config.prover.pollMs,
      log,
    },
    ({ rewardWei }) => {
      proven.inc()
      rewards.inc(Number(rewardWei) / 1e18)
    },
  )
}

function falseBatches(watcher: Watcher, desk: CaseDesk | undefined): ProverProblem[] {
  return watcher.falsehoods().map((falsehood) => {
    const { lane, index } = falsehood.batch.header
    return desk?.isLost(falsehood)
      ? { code: 'FALSE_BATCH_FINAL', lane, message: `lane ${lane}: false batch ${index} is final` }
      : { code: 'FALSE_BATCH', lane, message: `lane ${lane}: batch ${index} is false in chunk ${falsehood.chunk}` }
  })
}

/** Gauges that follow the status; to be called before they are read. */
function statusGauges(metrics: Metrics, status: () => ProverStatus): () => void {
  const problems = metrics.gauge({ name: 'prover_problems', help: 'What keeps lanes from being checked and right' })
  const checked = metrics.gauge({
    name: 'prover_checked_block',
    help: 'L1 block up to which a lane was checked',
    labels: ['lane'],
  })
  const unchecked = metrics.gauge({
    name: 'prover_unchecked_batches',
    help: 'Batches on L1 that are not yet found right',
    labels: ['lane'],
  })
  return () => {
    const now = status()
    problems.set(now.problems.length)
    for (const { lane, checkedUpTo, checkedIndex, liveIndex } of now.lanes) {
      checked.set({ lane }, Number(checkedUpTo))
      unchecked.set({ lane }, Number(liveIndex - checkedIndex))
    }
  }
}
