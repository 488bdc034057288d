import { join } from 'node:path'
import type { L1Client } from '../../l1/client.ts'
import type { Contracts } from '../../l1/contracts.ts'
import type { BlobSources } from '../../l1/derive/fetchBlobs.ts'
import { LaneDeriver } from '../../l1/derive/laneDeriver.ts'
import type { LaneEvent } from '../../l1/derive/laneHistory.ts'
import type { L1Update } from '../../l1/follow.ts'
import { ForcedView } from '../../l1/forced/forcedView.ts'
import { openLaneView } from '../../l1/laneView/laneView.ts'
import { recordDomain } from '../../protocol/domain.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { pause } from '../../runtime/wait.ts'
import type { BatchDataSource } from '../batchData.ts'
import { Committer, type TxSender } from '../commit/committer.ts'
import type { CommitMetrics } from '../commit/metrics.ts'
import { compareWithL1 } from '../commit/standing.ts'
import type { ReceiptMetrics } from '../receipts/metrics.ts'
import { ReceiptDesk } from '../receipts/receiptDesk.ts'
import type { ReceiptSigner } from '../receipts/signer.ts'
import type { Clock } from '../rulesView.ts'
import { adoptBatch } from '../sequence/adopt.ts'
import type { LaneBook } from '../sequence/laneBook.ts'
import type { SequenceMetrics } from '../sequence/metrics.ts'
import { type LaneSnapshot, readSnapshot } from '../sequence/laneSnapshot.ts'
import { replayLane } from '../sequence/replay.ts'
import { SequenceStage } from '../sequence/stage.ts'
import { loadPrepared } from '../store/commitLog.ts'
import type { Database } from '../store/database.ts'
import type { Head } from '../../runtime/headFile.ts'
import { LaneJournal } from '../store/journal.ts'
import { RecordIndex } from '../store/recordIndex.ts'
import { SnapshotKeeper } from '../store/snapshotKeeper.ts'
import type { Submission, SubmissionAnswer } from '../submission.ts'
import type { Verifier } from '../verify/verifier.ts'
import { FinalLane } from './finalLane.ts'
import { FinalRules } from './finalRules.ts'
import { LaneIntake } from './laneIntake.ts'
import { OperatorWatch } from './operatorWatch.ts'
import { scrub } from './scrub.ts'
import { holdsOurRecords, readBatchFromL1, readForcedBatch } from './rebuild.ts'
import { type SchemeLayout, schemeLayout } from '../../protocol/scheme.ts'

export interface LaneLimits {
  readonly aheadSeconds: number
  readonly maxAgeSeconds: number
  /** As L1's limits are now: asked for before each write. */
  readonly maxBatchChunks: () => number
  readonly maxWriteRows: number
  readonly maxQueuedRows: number
  readonly maxBacklog: number
  readonly redateMarginSeconds: number
  readonly retryMs: number
  /** Rows between snapshots; 0: none. */
  readonly snapshotRows: number
}

export interface LaneSettings {
  readonly lane: number
  readonly client: L1Client
  readonly contracts: Contracts
  readonly blobs: BlobSources
  readonly signer: ReceiptSigner
  readonly database: Database
  readonly clock: Clock
  readonly limits: LaneLimits
  readonly log: Logger
  readonly metrics?:
    | { readonly sequence: SequenceMetrics; readonly commit: CommitMetrics; readonly receipts: ReceiptMetrics }
    | undefined
  readonly onPosted: () => void
  readonly onFault: (error: unknown) => void
}

/** One lane from its data on disk and on L1 to its stages at work: the only place that knows how they hang together. */
export class LaneRunner {
  readonly lane: number
  readonly domain: Uint8Array
  readonly rules: FinalRules
  readonly journal: LaneJournal
  readonly index: RecordIndex
  readonly deriver: LaneDeriver
  readonly stage: SequenceStage
  readonly receipts: ReceiptDesk
  readonly final: FinalLane
  readonly #settings: LaneSettings
  readonly #operator: OperatorWatch
  readonly #prepared: Awaited<ReturnType<typeof loadPrepared>>
  /** Up to here the start read no entries. */
  readonly #unread: Head | undefined
  readonly #stopping = new AbortController()
  #scrubbing: Promise<void> | undefined
  #committer: Committer | undefined
  #intake: LaneIntake | undefined
  #timer: NodeJS.Timeout | undefined
  #seen = ''
  /** What L1 told before the committer listened. */
  #earlier: readonly LaneEvent[]

  private constructor(settings: LaneSettings, parts: LaneParts) {
    this.#settings = settings
    this.lane = settings.lane
    this.domain = parts.domain
    this.rules = parts.rules
    this.journal = parts.journal
    this.index = parts.index
    this.deriver = parts.deriver
    this.#prepared = parts.prepared
    this.#earlier = parts.events
    this.final = parts.final
    this.#unread = parts.snapshot?.head
    const { limits, client, contracts } = settings
    this.receipts = parts.receipts
    this.stage = new SequenceStage({
      book: parts.book,
      journal: parts.journal,
      index: parts.index,
      view: parts.rules,
      domain: parts.domain,
      clock: settings.clock,
      receipts: parts.receipts,
      snapshots: parts.snapshots,
      openedAsOf: parts.deriver.history.genesis.header.asOf,
      aheadSeconds: limits.aheadSeconds,
      maxAgeSeconds: limits.maxAgeSeconds,
      maxBatchRows: () => limits.maxBatchChunks() * parts.journal.layout.chunkRecords,
      maxWriteRows: limits.maxWriteRows,
      maxBacklog: limits.maxBacklog,
      log: settings.log.child({ stage: 'sequence', lane: settings.lane }),
      metrics: settings.metrics?.sequence,
      onClosed: () => settings.onPosted(),
      onFault: settings.onFault,
    })
    this.#operator = new OperatorWatch({
      client,
      rollup: contracts.rollup,
      lane: settings.lane,
      ours: settings.signer.address,
      log: settings.log,
      onOurs: async () => {
        await this.stage.drain()
        await this.receipts.catchUp(this.stage.book.state.position)
        this.stage.hold('operator', undefined)
      },
      onOther: (operator) =>
        this.stage.hold('operator', `the lane's operator on L1 is ${operator}, which this sequencer cannot sign for`),
    })
    this.stage.hold('operator', 'the lane is starting')
  }

  /** Replays the journal and takes from L1 what it knows more (a lost disk). Where it knows something else, the committer waits. */
  static async open(settings: LaneSettings, l1: Pick<L1Update, 'head' | 'final'>): Promise<LaneRunner> {
    const { lane, client, contracts, database, clock, log } = settings
    const deriver = new LaneDeriver({ client, contracts, lane })
    const { events } = await deriver.catchUp(l1.head)
    const { genesis } = deriver.history
    const layout = layoutOf(lane, genesis.scheme)
    const queue = new ForcedView({ client, contracts, lane })
    const rules = await FinalRules.open(await openLaneView({ client, contracts, lane }), queue, l1.final)
    const domain = recordDomain({ chainId: BigInt(client.chain.id), rollup: contracts.rollup, lane })
    const journal = await LaneJournal.open(database, { lane, layout })
    try {
      const startedAt = performance.now()
      const openedAsOf = genesis.header.asOf
      const keeper = (name: string): SnapshotKeeper =>
        new SnapshotKeeper({
          path: join(database.folder, `${name}-${lane}`),
          everyRows: settings.limits.snapshotRows,
          log,
        })
      const snapshots = keeper('snapshot')
      const saved = await snapshots.load()
      const snapshot = saved && readSnapshot(saved, lane)
      const index = await RecordIndex.open(database, journal)
      const now = clock.now()
      const book = await replayLane({ journal, rules: rules.rules, domain, openedAsOf, now, snapshot, index })
      const prepared = await loadPrepared(database, lane)
      const receipts = new ReceiptDesk({
        lane,
        chainId: BigInt(client.chain.id),
        rollup: contracts.rollup,
        rowBytes: rules.rules.layout.rowBytes,
        journal,
        database,
        signer: settings.signer,
        clock,
        log: log.child({ stage: 'receipts' }),
        metrics: settings.metrics?.receipts,
      })
      const final = await FinalLane.open({
        rules: rules.rules,
        journal,
        snapshots: keeper('final'),
        closed: (index) => book.closed.get(index),
      })
      const parts = {
        domain,
        rules,
        journal,
        index,
        deriver,
        book,
        prepared,
        events,
        receipts,
        snapshots,
        snapshot,
        final,
      }
      await rebuild(settings, parts)
      log.info(
        { lane, batches: book.lastIndex, positions: book.state.position, replayMs: performance.now() - startedAt },
        'lane is where its journal says',
      )
      return new LaneRunner(settings, parts)
    } catch (error) {
      journal.close()
      throw error
    }
  }

  get layout(): SchemeLayout {
    return this.journal.layout
  }

  get committer(): Committer {
    if (this.#committer === undefined) throw new Error('the lane has not started')
    return this.#committer
  }

  start(parts: { verifier: Verifier; data: BatchDataSource; transactions: TxSender }): void {
    const { limits, client, contracts, blobs, database, log, metrics, onPosted, onFault } = this.#settings
    this.#intake = new LaneIntake({
      lane: this.lane,
      stage: this.stage,
      verifier: parts.verifier,
      view: this.rules,
      maxQueuedRows: limits.maxQueuedRows,
      log,
    })
    this.#committer = new Committer({
      lane: this.lane,
      rollup: contracts.rollup,
      order: this.stage,
      deriver: this.deriver,
      transactions: parts.transactions,
      data: parts.data,
      database,
      prepared: this.#prepared,
      holdsOurRecords: (batch, theirs) => {
        const lane = { journal: this.journal, rules: this.rules.rules }
        return holdsOurRecords({ client, contracts, blobs }, lane, batch, theirs)
      },
      insertForced: async (theirs) => {
        const batch = await readForcedBatch({ client, contracts, blobs }, theirs, this.rules)
        return batch === undefined ? 'notYet' : await this.stage.insert(batch)
      },
      redateMarginSeconds: limits.redateMarginSeconds,
      retryMs: limits.retryMs,
      log: log.child({ stage: 'commit', lane: this.lane }),
      metrics: metrics?.commit,
      onFinal: (batch, posted) => this.final.advance(batch, posted),
      onPosted,
      onFault,
    })
    this.#timer = setInterval(() => this.stage.tick(), 1_000)
    if (this.#unread !== undefined) {
      const { signal } = this.#stopping
      this.#scrubbing = scrub(this.journal, this.#unread, { log, signal }).catch((error: unknown) => {
        if (!signal.aborted) onFault(error)
      })
    }
  }

  async onL1(update: L1Update): Promise<void> {
    const seen = `${update.head.hash} ${update.final.hash}`
    let events = this.#earlier
    if (seen !== this.#seen || update.reorg !== undefined) {
      await this.rules.onL1(update)
      await this.#operator.look()
      events = this.#earlier = [...events, ...(await this.deriver.catchUp(update.head)).events]
      this.#seen = seen
    }
    await this.committer.onL1(update, events)
    this.#earlier = []
    this.stage.tick()
  }

  async submit(submission: Pick<Submission, 'rows' | 'count'>): Promise<SubmissionAnswer> {
    if (this.#intake === undefined) {
      return { refusal: { code: 'NOT_ACCEPTING', message: 'the lane is starting', retryAfterMs: 1_000 } }
    }
    return await this.#intake.submit(submission)
  }

  /** Resolves when L1 holds every record accepted so far. Closes nothing by itself. Rejects when the lane stops before. */
  async idle(signal?: AbortSignal): Promise<void> {
    await this.stage.drain()
    const last = this.stage.book.open?.index ?? this.stage.lastClosed
    const stopping = this.#stopping.signal
    while (this.committer.posted < last) {
      signal?.throwIfAborted()
      if (stopping.aborted)
        throw new BackfeedError('LANE_STOPPED', `lane ${this.lane} has stopped`, { retryable: true })
      await pause(20, stopping)
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopping.abort()
    await this.#scrubbing
    await this.stage.stop()
    await this.receipts.flush()
    await this.#committer?.stop()
    await this.final.close()
    this.journal.close()
  }
}

function layoutOf(lane: number, scheme: number): SchemeLayout {
  try {
    return schemeLayout(scheme)
  } catch (cause) {
    const message = `lane ${lane} has a signature scheme that this version does not know`
    throw new BackfeedError('SCHEME_UNKNOWN', message, { exitCode: ExitCode.usage, cause, details: { scheme } })
  }
}

interface LaneParts {
  readonly domain: Uint8Array
  readonly rules: FinalRules
  readonly journal: LaneJournal
  readonly index: RecordIndex
  readonly deriver: LaneDeriver
  readonly book: LaneBook
  readonly prepared: Awaited<ReturnType<typeof loadPrepared>>
  readonly receipts: ReceiptDesk
  readonly events: readonly LaneEvent[]
  readonly snapshots: SnapshotKeeper
  readonly snapshot: LaneSnapshot | undefined
  readonly final: FinalLane
}

/** Rebuilds what L1 holds and the journal does not, up to the first false batch: that one will fall. */
async function rebuild(settings: LaneSettings, parts: LaneParts): Promise<void> {
  const { lane, client, contracts, blobs, log } = settings
  const { book, deriver, rules, domain } = parts
  const { live } = deriver.history
  const standing = compareWithL1({ live, agreedBefore: 0, ours: (index) => book.closed.get(index) })
  if (standing.kind === 'agreed' || standing.index <= book.lastIndex || book.open !== undefined) return
  log.warn({ lane, from: standing.index, to: live.length }, 'the journal lacks batches that L1 holds: rebuilding them')
  for (const posted of live.slice(standing.index - 1)) {
    const batch = await readBatchFromL1({ client, contracts, blobs }, posted, { rules, domain })
    if (batch === undefined) {
      log.warn(
        { lane, batch: posted.header.index },
        'a batch takes forced records that are not final yet: waiting for it',
      )
      return
    }
    if (await adoptBatch(parts, batch)) continue
    log.error({ lane, batch: posted.header.index }, 'L1 holds a false batch, which is not rebuilt')
    return
  }
}
