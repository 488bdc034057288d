import type { Address, Hex, TransactionReceipt } from 'viem'
import type { LaneDeriver } from '../../l1/derive/laneDeriver.ts'
import type { DerivedBatch, LaneEvent } from '../../l1/derive/laneHistory.ts'
import type { L1Update } from '../../l1/follow.ts'
import type { TxRequest } from '../../l1/txManager/txRecord.ts'
import { hashDataWords, hashHeader } from '../../protocol/batchHeader.ts'
import { BackfeedError, describeError, ExitCode, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { BatchData, BatchDataSource } from '../batchData.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { type Prepared, putPrepared } from '../store/commitLog.ts'
import type { Database } from '../store/database.ts'
import type { CommitMetrics } from './metrics.ts'
import { compareWithL1, holdsSame, isFinal, isForcedOnly, nextStep, type Standing } from './standing.ts'
import { batchId, headerOf, requestId, stillHolds, submitRequest } from './submission.ts'

/** What posting needs of the lane's order. */
export interface OrderedLane {
  readonly lastClosed: number
  closedBatch(index: number): ClosedBatch | undefined
  /** Makes the lane take nothing in, for the reason given; undefined lets go. */
  hold(who: string, reason: string | undefined): void
  setPosted(index: number): void
  redate(firstBatch: number): Promise<boolean>
  /** What only posting and comparing need of the batch may be forgotten … */
  dropRoots(index: number): void
  /** … and is there again in this. */
  whole(batch: ClosedBatch): Promise<ClosedBatch>
}

/** What posting needs of the transaction manager. */
export interface TxSender {
  readonly address: Address
  send(request: TxRequest): Promise<TransactionReceipt>
  cancel(id: string): void
  /** Everything it has on its books, also from before a restart. */
  records(): readonly { readonly id: string; readonly cancelled: boolean; readonly status: { readonly kind: string } }[]
}

export interface CommitterSettings {
  readonly lane: number
  readonly rollup: Address
  readonly order: OrderedLane
  readonly deriver: LaneDeriver
  readonly transactions: TxSender
  readonly data: BatchDataSource
  readonly database: Database
  readonly prepared: Map<number, Prepared>
  /** Whether what L1 has of a batch, read back from it, is record for record and root for root what the journal has. */
  readonly holdsOurRecords: (batch: ClosedBatch, theirs: DerivedBatch) => Promise<boolean>
  /** Has ours follow a batch of forced chunks that somebody else posted; false: it claims what settlement does not come to. */
  readonly insertForced: (theirs: DerivedBatch) => Promise<'inserted' | 'false' | 'notYet'>
  readonly redateMarginSeconds: number
  /** After a post that failed, milliseconds; doubles up to sixteen times. */
  readonly retryMs: number
  readonly log: Logger
  readonly metrics?: CommitMetrics | undefined
  /** A batch is past its window, called in order and waited for. */
  readonly onFinal: (batch: ClosedBatch, posted: DerivedBatch) => Promise<void>
  /** L1 should be looked at again soon. */
  readonly onPosted: () => void
  readonly onFault: (error: unknown) => void
}

/**
 * Brings closed batches to L1 in order, one under way at a time. It never remembers what L1 said: each look compares L1's live batches
 * with ours and goes on from there, so that a reorganisation, a rollback, a crash or a lost answer are all the same case.
 */
export class Committer {
  readonly #settings: CommitterSettings
  /** Headers that a fraud proof hit. */
  readonly #proven = new Set<Hex>()
  /** Headers that look like ours over data that is not. */
  readonly #lookalikes = new Set<Hex>()
  /** Headers of others' batches of forced chunks that are false. */
  readonly #falseForced = new Set<Hex>()
  #posting: { id: string | undefined; done: Promise<void> } | undefined
  #posted = 0
  /** The block that our newest transaction was mined in: L1 as it was before says nothing of it. */
  #minedIn = 0n
  #agreed = 0
  #final = 0
  #failures = 0
  /** By the steady clock: a wall clock that is set back must not keep batches waiting. */
  #notBeforeMs = 0
  #problem: string | undefined
  /** The first batch on L1 that is not ours. */
  #foreign: number | undefined
  #stopped = false

  constructor(settings: CommitterSettings) {
    this.#settings = settings
  }

  /** Newest of our batches in an L1 block. */
  get posted(): number {
    return this.#posted
  }

  get finalIndex(): number {
    return this.#final
  }

  /** Why posting does not go on, for people. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Whether a transaction of this batch waits for its block. */
  isSent(index: number): boolean {
    return this.#posting?.id !== undefined && index === this.#posted + 1
  }

  prepared(index: number): Prepared | undefined {
    return this.#settings.prepared.get(index)
  }

  onL1Batch(index: number): DerivedBatch | undefined {
    return this.#settings.deriver.history.batch(BigInt(index))
  }

  /** The deriver stands at `update.head`; `events` are new since the last call, at the first one all that there ever were. */
  async onL1(update: L1Update, events: readonly LaneEvent[]): Promise<void> {
    for (const event of events) {
      if (event.kind !== 'rolledBack') continue
      this.#proven.add(event.headerHash)
      this.#agreed = Math.min(this.#agreed, Number(event.index) - 1)
    }
    if (update.reorg !== undefined) this.#minedIn = 0n
    let standing = await this.#standing()
    let theirs = this.#othersForced(standing)
    while (theirs !== undefined && (await this.#follow(theirs, update))) {
      standing = await this.#standing()
      theirs = this.#othersForced(standing)
    }
    this.#setPosted(standing.kind === 'agreed' ? standing.posted : standing.index - 1)
    // One that may be true is only waited for: records go on being taken in, and follow it.
    this.#setForeign(standing.kind === 'agreed' || theirs !== undefined ? undefined : standing.index)
    await this.#adopt()
    await this.#finalise(update)
    if (standing.kind === 'agreed') this.#goOn(update)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    // What has been sent is the transaction manager's, which stops later and keeps it for the next start.
    if (this.#posting?.id === undefined) await this.#posting?.done
  }

  async #standing(): Promise<Standing> {
    const { order, deriver } = this.#settings
    const { live } = deriver.history
    const agreedBefore = Math.min(this.#agreed, live.length)
    const standing = compareWithL1({ live, agreedBefore, ours: (index) => order.closedBatch(index) })
    const last = standing.kind === 'agreed' ? standing.posted : standing.index - 1
    for (let index = agreedBefore + 1; index <= last; index++) {
      if (!(await this.#isOurs(order.closedBatch(index)!, live[index - 1]!))) return { kind: 'foreign', index }
    }
    return standing
  }

  /** Where L1 holds a batch that is not ours: forced chunks alone, posted because we did not (docs/protocol.md §10). */
  #othersForced(standing: Standing): DerivedBatch | undefined {
    if (standing.kind === 'agreed') return undefined
    const theirs = this.#settings.deriver.history.live[standing.index - 1]!
    return isForcedOnly(theirs) && !this.#falseForced.has(theirs.headerHash) ? theirs : undefined
  }

  /** Only what cannot leave L1 any more is followed. True when there is something new to compare. */
  async #follow(theirs: DerivedBatch, update: L1Update): Promise<boolean> {
    const { log, lane, insertForced, metrics } = this.#settings
    const { header, headerHash, place } = theirs
    if (place.blockNumber > update.final.number) return false
    const result = await insertForced(theirs).catch((error: unknown) =>
      this.#unreadable(error, theirs, 'notYet' as const),
    )
    const fields = {
      lane,
      batch: header.index,
      submitter: header.submitter,
      entries: header.forcedEnd - header.forcedStart,
    }
    if (result === 'inserted') {
      log.warn(fields, 'somebody else posted forced records, which were due: our batches follow theirs')
      metrics?.followed()
    } else if (result === 'false') {
      log.error(fields, "somebody else's batch of forced records is false: waiting for it to fall")
      this.#falseForced.add(headerHash)
    }
    return result !== 'notYet'
  }

  /**
   * Roots and dates of a batch of ours can be seen before it is mined, and posted over other data: taken for ours, it would be counted
   * against us once it is proven false.
   */
  async #isOurs(batch: ClosedBatch, theirs: DerivedBatch): Promise<boolean> {
    const { prepared, holdsOurRecords } = this.#settings
    const { headerHash, header } = theirs
    const held = prepared.get(batch.index)
    if (held?.headerHash === headerHash) return true
    if (held?.header.dataHash === header.dataHash && held.header.dataKind === header.dataKind) return true
    if (this.#lookalikes.has(headerHash)) return false
    try {
      const isOurs = await holdsOurRecords(await this.#settings.order.whole(batch), theirs)
      if (!isOurs) this.#lookalikes.add(headerHash)
      return isOurs
    } catch (error) {
      return this.#unreadable(error, theirs, false)
    }
  }

  #unreadable<T>(error: unknown, { header }: DerivedBatch, otherwise: T): T {
    if (!isBackfeedError(error) || error.code === 'DATA_CORRUPTED') throw error
    this.#settings.log.warn({ err: error, batch: header.index }, 'what L1 holds of a batch cannot be read yet')
    return otherwise
  }

  #setPosted(posted: number): void {
    if (posted === this.#posted) return
    const { order, log, lane, metrics } = this.#settings
    if (posted < this.#posted) log.warn({ lane, from: this.#posted, to: posted }, "L1's tip fell back")
    this.#posted = posted
    this.#problem = undefined
    this.#failures = 0
    this.#notBeforeMs = 0
    order.setPosted(posted)
    metrics?.posted(posted)
  }

  #setForeign(index: number | undefined): void {
    const { order, log, lane } = this.#settings
    const was = this.#foreign
    this.#foreign = index
    if (index !== undefined) {
      if (was !== index) log.error({ lane, index }, 'L1 holds a batch that is not ours: waiting for it to fall')
      this.#problem = `L1 holds a batch ${index} that is not this sequencer's`
    } else if (was !== undefined) {
      log.warn({ lane, index: was }, 'the batch that was not ours has fallen: going on')
      this.#problem = undefined
      this.#notBeforeMs = 0
    }
    order.hold('commit', index === undefined ? undefined : this.#problem)
  }

  /** What was mined is what counts, also when we had prepared another header of the same batch. */
  async #adopt(): Promise<void> {
    const { database, lane, prepared, deriver } = this.#settings
    const { live } = deriver.history
    for (let index = this.#agreed + 1; index <= this.#posted; index++) {
      const { header, headerHash } = live[index - 1]!
      if (prepared.get(index)?.headerHash === headerHash) continue
      const adopted = { header, headerHash, attempt: 0 }
      await putPrepared(database, lane, adopted)
      prepared.set(index, adopted)
    }
  }

  async #finalise(update: L1Update): Promise<void> {
    const { deriver, order, onFinal } = this.#settings
    const { live } = deriver.history
    while (this.#agreed < this.#posted && live[this.#agreed]!.place.blockNumber <= update.final.number) {
      order.dropRoots(++this.#agreed)
    }
    while (this.#final < this.#posted && isFinal(live[this.#final]!, update.final)) {
      const index = this.#final + 1
      const batch = order.closedBatch(index)
      if (batch === undefined) throw new Error(`batch ${index} is final and was never closed`)
      await onFinal(batch, live[this.#final]!)
      this.#final = index
      this.#settings.metrics?.final(index)
    }
  }

  #goOn(update: L1Update): void {
    const { order, redateMarginSeconds } = this.#settings
    const next = order.closedBatch(this.#posted + 1)
    const step = nextStep({ next, l1Time: update.head.timestamp, redateMarginSeconds })
    switch (step.kind) {
      case 'nothing':
      case 'wait':
        return
      case 'redate':
        // Never while a transaction of the old date could still be mined.
        if (!this.#cancelPending(step.batch) && this.#posting === undefined) this.#start(() => this.#redate(step.batch))
        return
      case 'post':
        if (this.#posting !== undefined || performance.now() < this.#notBeforeMs) return
        if (update.head.number >= this.#minedIn) this.#start(() => this.#post(step.batch, update), step.batch)
        return
      default:
        step satisfies never
    }
  }

  /** True while a transaction that posts this batch is under way; has it cancelled. */
  #cancelPending(batch: ClosedBatch): boolean {
    const { transactions, lane } = this.#settings
    const prefix = `${batchId(lane, batch.index)}/`
    const pending = transactions
      .records()
      .filter((record) => record.id.startsWith(prefix) && record.status.kind === 'pending')
    for (const { id, cancelled } of pending) if (!cancelled) transactions.cancel(id)
    return pending.length > 0
  }

  #start(run: () => Promise<void>, posted?: ClosedBatch): void {
    if (this.#stopped) return
    const posting: { id: string | undefined; done: Promise<void> } = { id: undefined, done: Promise.resolve() }
    this.#posting = posting
    posting.done = run()
      .catch((error: unknown) => this.#failed(error, posted))
      .finally(() => {
        this.#posting = undefined
        if (!this.#stopped) this.#settings.onPosted()
      })
  }

  async #redate(batch: ClosedBatch): Promise<void> {
    if (await this.#settings.order.redate(batch.index)) this.#settings.metrics?.redated()
  }

  async #post(batch: ClosedBatch, update: L1Update): Promise<void> {
    const { data, order, transactions, rollup, log } = this.#settings
    const parentHash = this.#settings.deriver.history.tip.headerHash
    const made = await data.prepare(await order.whole(batch))
    this.#requireUnproven(batch, made)
    const prepared = await this.#prepare(
      batch,
      (pin) => headerOf({ batch, data: made, parentHash, pin, submitter: transactions.address }),
      update,
    )
    if (this.#stopped || this.#posting === undefined) return
    this.#posting.id = requestId(prepared)
    log.info({ lane: batch.lane, batch: batch.index, rows: batch.rowCount, asOf: batch.asOf }, 'posting a batch')
    const receipt = await transactions.send(submitRequest(prepared, made, rollup))
    this.#minedIn = receipt.blockNumber
    log.info({ lane: batch.lane, batch: batch.index, tx: receipt.transactionHash }, 'batch is in an L1 block')
  }

  async #prepare(
    batch: ClosedBatch,
    header: (pin: { number: bigint; hash: Hex }) => Prepared['header'],
    update: L1Update,
  ): Promise<Prepared> {
    const { database, lane, prepared } = this.#settings
    const fresh = header(update.final)
    const held = prepared.get(batch.index)
    // After a failure the pinned block may be the reason: pin anew.
    if (held !== undefined && this.#failures === 0 && stillHolds(held.header, fresh)) return held
    const made = { header: fresh, headerHash: hashHeader(fresh), attempt: held === undefined ? 0 : held.attempt + 1 }
    await putPrepared(database, lane, made)
    prepared.set(batch.index, made)
    return made
  }

  #failed(error: unknown, batch: ClosedBatch | undefined): void {
    const { log, lane, retryMs, metrics, onFault } = this.#settings
    if (this.#stopped || isBackfeedError(error, 'TX_MANAGER_STOPPED')) return
    if (isBackfeedError(error, 'FRAUD_PROVEN') || isBackfeedError(error, 'DATA_CORRUPTED')) {
      onFault(error)
      return
    }
    if (batch !== undefined && batch.index <= this.#posted) {
      log.info({ err: error, lane, batch: batch.index }, 'a batch was posted once more than was needed')
      return
    }
    this.#failures++
    this.#notBeforeMs = performance.now() + retryMs * 2 ** Math.min(this.#failures - 1, 4)
    this.#problem = `posting batch ${this.#posted + 1} failed: ${describeError(error)}`
    metrics?.failed(isBackfeedError(error) ? error.code : 'UNKNOWN')
    log.error({ err: error, lane, batch: this.#posted + 1, failures: this.#failures }, this.#problem)
  }

  /** A fraud proof hit exactly what we would post again: the contracts compute something else, and nothing is posted on doubt. */
  #requireUnproven(batch: ClosedBatch, made: BatchData): void {
    const { deriver, lane } = this.#settings
    const dataHash = hashDataWords(made.dataWords)
    const proven = deriver.history.fallen.find(
      ({ headerHash, header }) =>
        this.#proven.has(headerHash) &&
        header.index === BigInt(batch.index) &&
        header.dataHash === dataHash &&
        holdsSame(batch, { header }),
    )
    if (proven === undefined) return
    throw new BackfeedError('FRAUD_PROVEN', `batch ${batch.index} of lane ${lane} was proven false as it stands here`, {
      exitCode: ExitCode.refusedByL1,
      details: { lane, batch: batch.index, headerHash: proven.headerHash },
    })
  }
}
