import { join } from 'node:path'
import { errorsAbi } from '../l1/abi/errors.ts'
import { ChainLimitsView } from '../l1/chainLimits.ts'
import { accountFromKey, connectL1, readKeyFile } from '../l1/client.ts'
import { beaconSource } from '../l1/derive/beacon.ts'
import { openBlobArchive } from '../l1/derive/blobArchive.ts'
import { L1Follower, type L1Update } from '../l1/follow.ts'
import { openLevelTxStore } from '../l1/txManager/levelStore.ts'
import { TxManager } from '../l1/txManager/manager.ts'
import { txPolicy } from '../l1/txManager/txPolicy.ts'
import { BLOB_CHUNKS } from '../protocol/limits.ts'
import type { BackfeedError } from '../runtime/errors.ts'
import { createLogger, type Logger } from '../runtime/log.ts'
import { createMetrics, type Metrics } from '../runtime/metrics.ts'
import { type Component, type ComponentContext, type Service, startService } from '../runtime/service.ts'
import { adminRoutes } from './api/adminRoutes.ts'
import { queryRoutes } from './api/queryRoutes.ts'
import { BatchBuilder } from './batch/builder.ts'
import { batchMetrics } from './batch/metrics.ts'
import { commitMetrics } from './commit/metrics.ts'
import type { SequencerConfig } from './config.ts'
import { type HttpServer, startHttpServer } from './httpServer.ts'
import { Admission } from './ingress/admission.ts'
import { Intake } from './ingress/intake.ts'
import { type Libp2pIngress, startLibp2pIngress } from './ingress/libp2p.ts'
import { createIngressMetrics } from './ingress/metrics.ts'
import { recordRoutes } from './ingress/recordRoutes.ts'
import { L1Pump } from './lane/l1Pump.ts'
import { laneQueries } from './lane/laneQueries.ts'
import { LaneRunner } from './lane/laneRunner.ts'
import type { LaneQueries } from './queries.ts'
import { receiptMetrics } from './receipts/metrics.ts'
import { keySigner } from './receipts/signer.ts'
import { type Clock, systemClock } from './rulesView.ts'
import { sequenceMetrics } from './sequence/metrics.ts'
import { type Database, openDatabase } from './store/database.ts'
import type { RecordSink } from './submission.ts'
import { VerifyEngines } from './verify/engines.ts'
import { type BatchWebhooks, openBatchWebhooks } from './webhooks/batchWebhooks.ts'

export interface SequencerOptions {
  readonly signal?: AbortSignal
  /** Default: what the configuration says. */
  readonly clock?: Clock
  readonly log?: Logger
  readonly metrics?: Metrics
}

export interface Sequencer extends Service {
  /** Records and queries. */
  readonly url: string
  readonly adminUrl: string
  /** Empty without libp2p. */
  readonly multiaddrs: readonly string[]
  /** The way in without a wire. */
  readonly sink: RecordSink
  readonly queries: LaneQueries
  /** Closes the lane's open batch now, if it holds anything. */
  closeBatch(lane: number): Promise<void>
  /** Resolves when L1 holds everything that the lane has accepted. */
  idle(lane: number, signal?: AbortSignal): Promise<void>
}

/** Calldata of a batch stays under a pool's 128 KB for one transaction. */
const CALLDATA_CHUNKS = BLOB_CHUNKS
/** Taken in and not yet durable, a lane: 11 MB of rows, of BLS ones 28. */
const MAX_QUEUED_ROWS = 131_072

/** Starts a sequencer for one or more lanes; resolves when it takes records. Everything is wired here, in the order in which it runs. */
export async function startSequencer(config: SequencerConfig, options: SequencerOptions = {}): Promise<Sequencer> {
  const log = options.log ?? createLogger({ service: 'sequencer', level: config.logLevel })
  const metrics = options.metrics ?? createMetrics({ service: 'sequencer', process: options.log === undefined })
  const operatorKey = readKeyFile(config.operatorKeyFile)
  const account = accountFromKey(operatorKey)
  const client = await connectL1(config.l1)
  const policy = txPolicy(config.transactions)
  const chain = new ChainLimitsView(client)
  await chain.look()
  const maxBatchChunks = (): number =>
    config.batch.data === 'blob'
      ? Math.min(config.batch.maxBlobs, chain.current.maxBlobsPerTransaction) * BLOB_CHUNKS
      : CALLDATA_CHUNKS

  const follower = new L1Follower({ client, finality: policy.finality, pollMs: config.l1.pollMs, log })
  const clock: Clock = options.clock ?? (config.clock === 'l1' ? { now: () => follower.head.timestamp } : systemClock)
  const runners = new Map<number, LaneRunner>()
  const parts: Partial<Parts> = {}
  const got = <K extends keyof Parts>(name: K): Parts[K] => {
    const part = parts[name]
    if (part === undefined) throw new Error(`${name} has not started`)
    return part as Parts[K]
  }
  let context: ComponentContext | undefined
  const fail = (error: unknown): void => context?.fail(error)
  const nudge = (): void => {
    follower.poke()
    parts.pump?.ask()
  }

  const database: Component = {
    name: 'store',
    start: async (own) => {
      context = own
      parts.database = await openDatabase(config.dataFolder, {
        chainId: client.chain.id,
        rollup: config.contracts.rollup,
      })
    },
    stop: () => parts.database?.close(),
  }
  const transactions: Component = {
    name: 'transactions',
    start: async (own) => {
      const store = await openLevelTxStore(join(config.dataFolder, 'tx'))
      parts.txStore = store
      parts.transactions = new TxManager({ client, account, store, policy, log, metrics, abi: errorsAbi })
      await parts.transactions.start(own)
    },
    stop: async () => {
      await parts.transactions?.stop()
      await parts.txStore?.close()
    },
  }
  const lanes: Component = {
    name: 'lanes',
    start: async () => {
      const measured = {
        sequence: sequenceMetrics(metrics),
        commit: commitMetrics(metrics),
        receipts: receiptMetrics(metrics),
      }
      const signer = await keySigner(operatorKey)
      const blobs = {
        archive: openBlobArchive(join(config.dataFolder, 'blobs')),
        sources: config.l1.beacon.map(beaconSource),
        onNotKept: (err: BackfeedError) => log.warn({ err }, 'a blob from L1 cannot be kept'),
      }
      for (const lane of config.lanes) {
        const runner = await LaneRunner.open(
          {
            lane,
            client,
            contracts: config.contracts,
            blobs,
            signer,
            database: got('database'),
            clock,
            limits: {
              aheadSeconds: config.batch.asOfAheadSeconds,
              maxAgeSeconds: config.batch.maxAgeSeconds,
              maxBatchChunks,
              maxWriteRows: config.batch.maxWriteRows,
              maxQueuedRows: MAX_QUEUED_ROWS,
              maxBacklog: config.batch.maxBacklog,
              redateMarginSeconds: config.commit.redateMarginSeconds,
              snapshotRows: config.store.snapshotRows,
              retryMs: config.commit.retryMs,
            },
            log,
            metrics: {
              sequence: measured.sequence(lane),
              commit: measured.commit(lane),
              receipts: measured.receipts(lane),
            },
            onPosted: nudge,
            onFault: fail,
          },
          follower,
        )
        runners.set(lane, runner)
      }
    },
    stop: async () => {
      for (const runner of runners.values()) await runner.stop()
    },
  }
  const workers: Component = {
    name: 'workers',
    start: () => {
      const { bls, ...p256 } = config.verify
      parts.engines = new VerifyEngines([...runners.values()], { p256, bls }, metrics)
      parts.builder = new BatchBuilder({
        data: config.batch.data,
        lanes: new Map([...runners].map(([lane, { journal, rules }]) => [lane, { journal, rules: rules.rules }])),
        log: log.child({ stage: 'batch' }),
        metrics: batchMetrics(metrics),
      })
      parts.builder.warm()
    },
    stop: async () => {
      await parts.engines?.close()
      await parts.builder?.close()
    },
  }
  const webhooks: Component = {
    name: 'webhooks',
    start: async () => {
      if (config.webhooks.length === 0) return
      const deployment = { chainId: client.chain.id, rollup: config.contracts.rollup }
      const own = { configs: config.webhooks, deployment, database: got('database'), log, metrics }
      parts.webhooks = await openBatchWebhooks(own)
    },
    stop: () => parts.webhooks?.stop(),
  }
  const posting: Component = {
    name: 'posting',
    start: async () => {
      for (const runner of runners.values()) {
        const verifier = got('engines').of(runner.layout)
        runner.start({ verifier, data: got('builder'), transactions: got('transactions') })
      }
      const onL1 = async (update: L1Update): Promise<void> => {
        await chain.look()
        for (const runner of runners.values()) {
          await runner.onL1(update)
          await parts.webhooks?.look(runner)
        }
      }
      parts.pump = new L1Pump({ follower, onL1, everyMs: 1_000, log, onFault: fail })
      await parts.pump.look()
      parts.pump.start()
    },
    stop: () => parts.pump?.stop(),
  }
  const sink: RecordSink = {
    layoutOf: (lane) => runners.get(lane)?.layout,
    submit: async (submission) => {
      const runner = runners.get(submission.lane)
      if (runner !== undefined) return await runner.submit(submission)
      return { refusal: { code: 'UNKNOWN_LANE', message: `no lane ${submission.lane} here`, retryAfterMs: 0 } }
    },
  }
  const ingress: Component = {
    name: 'ingress',
    start: async () => {
      const admission = new Admission({ ...config.ingress, schemeRecords: got('engines').maxRows })
      const intake = new Intake({
        sink,
        admission,
        metrics: createIngressMetrics(metrics, () => admission.inFlight),
        log: log.child({ stage: 'ingress' }),
      })
      const queries = laneQueries({
        runners,
        database: got('database'),
        transactions: got('transactions'),
        name: { chainId: client.chain.id, rollup: config.contracts.rollup },
        operator: account.address,
      })
      parts.queries = queries
      parts.http = await startHttpServer({
        host: config.http.host,
        port: config.http.port,
        trustedProxies: config.http.trustedProxies,
        routes: [recordRoutes({ intake, queries }), queryRoutes(queries)],
        log,
      })
      parts.admin = await startHttpServer({
        host: config.admin.host,
        port: config.admin.port,
        routes: [adminRoutes({ metrics, queries, webhooks: parts.webhooks })],
        log: log.child({ stage: 'admin' }),
      })
      if (!config.libp2p.enabled) return
      const { listen, announce, allow, knownPeers } = config.libp2p
      parts.libp2p = await startLibp2pIngress({
        listen,
        announce,
        allow,
        knownPeers,
        keyFile: join(config.dataFolder, 'peer.key'),
        intake,
        log: log.child({ stage: 'libp2p' }),
      })
    },
    stop: async () => {
      await Promise.all([parts.http?.close(), parts.admin?.close(), parts.libp2p?.close()])
    },
  }

  const service = await startService({
    name: 'sequencer',
    components: [follower, database, transactions, lanes, workers, webhooks, posting, ingress],
    log,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  return {
    ...service,
    url: got('http').url,
    adminUrl: got('admin').url,
    multiaddrs: parts.libp2p?.multiaddrs ?? [],
    sink,
    queries: got('queries'),
    closeBatch: async (lane) => await runnerOf(runners, lane).stage.closeBatch(),
    idle: async (lane, signal) => await runnerOf(runners, lane).idle(signal),
  }
}

/** What components leave for those after them. */
interface Parts {
  database: Database
  txStore: Awaited<ReturnType<typeof openLevelTxStore>>
  transactions: TxManager
  engines: VerifyEngines
  builder: BatchBuilder
  webhooks: BatchWebhooks
  pump: L1Pump
  queries: LaneQueries
  http: HttpServer
  admin: HttpServer
  libp2p: Libp2pIngress
}

function runnerOf(runners: ReadonlyMap<number, LaneRunner>, lane: number): LaneRunner {
  const runner = runners.get(lane)
  if (runner === undefined) throw new RangeError(`lane ${lane} is not served here`)
  return runner
}
