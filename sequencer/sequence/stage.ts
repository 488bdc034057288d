import { pause } from '../../runtime/wait.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { takeable } from '../forced.ts'
import type { WriteOperation } from '../store/database.ts'
import type { JournalEntry } from '../store/entry.ts'
import { WriteMemory } from '../store/writeMemory.ts'
import type { Refusal } from '../submission.ts'
import { Answers } from './answers.ts'
import { chooseAsOf } from './dating.ts'
import { markDuplicates } from './duplicates.ts'
import { snapshotParts, takeSnapshot } from './laneSnapshot.ts'
import type { LaneBook } from './laneBook.ts'
import { type MicroBatch, MicroBatchBuilder } from './microBatch.ts'
import {
  type ForcedBatch,
  type Revised,
  type ReviseInput,
  recallRoots,
  reviseDates,
  reviseForTheirs,
} from './revise.ts'
import type { SequenceSettings } from './settings.ts'
import { newWork, type QueuedWork, type Work } from './work.ts'

const RECOVERY_PAUSE_MS = 500

/** The only writer of a lane's state. Applies what is verified in arrival order, makes it durable by one write, and only then answers. */
export class SequenceStage {
  readonly #settings: SequenceSettings
  readonly #stopping = new AbortController()
  readonly #queue: QueuedWork[] = []
  readonly #commands: (() => Promise<void>)[] = []
  readonly #answers: Answers
  readonly #memory = new WriteMemory()
  #book: LaneBook
  #running: Promise<void> | undefined
  #storeFailed = false
  #holds = new Map<string, string>()
  #posted = 0
  #queuedRows = 0

  constructor(settings: SequenceSettings) {
    this.#settings = settings
    this.#book = settings.book
    this.#answers = new Answers(settings.receipts)
  }

  get book(): LaneBook {
    return this.#book
  }

  /** Taken in and not yet answered. */
  get queuedRows(): number {
    return this.#queuedRows
  }

  /** Index of the newest batch that is closed for good. */
  get lastClosed(): number {
    let index = this.#book.lastIndex
    while (this.#isBeingWritten(this.#book.closed.get(index))) index--
    return index
  }

  /** A closed batch; one whose closing is still being written is not there yet: the write may fail, or the process end before it. */
  closedBatch(index: number): ClosedBatch | undefined {
    const batch = this.#book.closed.get(index)
    return this.#isBeingWritten(batch) ? undefined : batch
  }

  #isBeingWritten(batch: ClosedBatch | undefined): boolean {
    return batch !== undefined && batch.lastSequence > this.#settings.journal.length
  }

  /** `asOf` of a batch opened now, also the one to look EVSEs up by; undefined while none can be opened. */
  asOfNow(): number | undefined {
    const { clock, view, aheadSeconds } = this.#settings
    return chooseAsOf({
      now: clock.now(),
      finalTime: view.finalTime,
      aheadSeconds,
      previousAsOf: this.#book.open?.asOf ?? this.#book.lastAsOf,
    })
  }

  /** Why nothing can be taken in now, or undefined. */
  refusal(): Refusal | undefined {
    const refuse = (message: string, retryAfterMs: number): Refusal => ({
      code: 'NOT_ACCEPTING',
      message,
      retryAfterMs,
    })
    if (this.#stopping.signal.aborted) return refuse('the sequencer is stopping', 5_000)
    if (this.#storeFailed) return refuse('the journal cannot be written', 1_000)
    for (const reason of this.#holds.values()) return refuse(reason, 5_000)
    if (this.#book.lastIndex - this.#posted >= this.#settings.maxBacklog) {
      return refuse('L1 has not taken the batches before', 5_000)
    }
    if (this.asOfNow() === undefined) return refuse('what L1 holds final lags too far behind the clock', 5_000)
    return undefined
  }

  /** Another part of the lane needs it to take nothing in; the same `who` lets go with undefined. */
  hold(who: string, reason: string | undefined): void {
    if (reason === undefined) this.#holds.delete(who)
    else this.#holds.set(who, reason)
  }

  /** L1 holds every batch up to `index`. */
  setPosted(index: number): void {
    this.#posted = index
  }

  enqueue(rows: Uint8Array, count: number): Work {
    const { queued, work } = newWork(rows, count, () => this.#wake())
    this.#queue.push(queued)
    this.#queuedRows += count
    void work.answer.then(() => {
      this.#queuedRows -= count
    })
    return work
  }

  /** Closes the open batch if it is as old as it may get; opens one for forced records if nothing else does. */
  tick(): void {
    const run = async (): Promise<void> => {
      if (this.#isOld()) await this.#close()
      else if (this.#isForced()) await this.#openForced()
    }
    if (this.#isOld() || this.#isForced()) void this.#exclusive(run).catch(() => {})
  }

  /** Closes the open batch, if there is one. */
  closeBatch(): Promise<void> {
    return this.#exclusive(() => this.#close())
  }

  /** Batches from `firstBatch` on, none of them posted, are too old for L1: settles them anew. False while that is impossible. */
  redate(firstBatch: number): Promise<boolean> {
    return this.#exclusive(async () => {
      const revised = await reviseDates(this.#reviseInput(), firstBatch)
      if (revised === undefined) return false
      const { log } = this.#settings
      log.warn({ firstBatch, entries: revised.entries }, 'batches were not posted in time and are dated anew')
      await this.#revise(revised)
      return true
    })
  }

  /** L1 holds for good a batch of forced chunks that somebody else posted before ours: ours follow it, if it is true. */
  insert(theirs: ForcedBatch): Promise<'inserted' | 'false' | 'notYet'> {
    return this.#exclusive(async () => {
      const revised = await reviseForTheirs(this.#reviseInput(), theirs)
      if (revised === undefined) return 'notYet'
      if (revised === 'false') return 'false'
      await this.#revise(revised)
      return 'inserted'
    })
  }

  /** L1 holds the batch for good, unless it is proven false: its roots can be computed again if that happens to one before it. */
  dropRoots(index: number): void {
    this.#book.dropRoots(index)
  }

  /** The batch with its roots. When they were dropped, the whole lane is replayed. */
  whole(batch: ClosedBatch): Promise<ClosedBatch> {
    if (batch.preRoots.length > 0) return Promise.resolve(batch)
    this.#settings.log.warn({ batch: batch.index }, 'roots of a batch that was posted long ago are computed again')
    return this.#exclusive(() => recallRoots(this.#reviseInput(), batch.index))
  }

  /** Resolves when everything enqueued before has been answered. */
  async drain(): Promise<void> {
    while (this.#queue.length > 0 || this.#running !== undefined || this.#answers.waiting) {
      if (this.#running !== undefined) await this.#running
      else if (this.#answers.waiting) await this.#answers.settled()
      else await pause(1)
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await this.#answers.settled()
    for (const work of this.#queue.splice(0)) work.resolve({ refusal: this.refusal()! })
    await this.#settings.snapshots?.close(() => this.#snapshot())
  }

  #snapshot(): AsyncIterable<Uint8Array> {
    return snapshotParts(takeSnapshot(this.#book, this.#settings.index, this.#settings.journal.head))
  }

  async #close(): Promise<void> {
    const undo = this.#mark()
    const builder = this.#builder(0, 0)
    builder.closeBatch()
    await this.#write(builder.finish(), undo)
  }

  async #openForced(): Promise<void> {
    const undo = this.#mark()
    const builder = this.#builder(this.asOfNow()!, 0)
    builder.openForced()
    await this.#write(builder.finish(), undo)
  }

  /** Nothing but forced records waits for a batch. */
  #isForced(): boolean {
    const { open, forced } = this.#book
    return open === undefined && forced.length < this.#settings.view.forced.length && this.refusal() === undefined
  }

  #isOld(): boolean {
    const { open } = this.#book
    return open !== undefined && this.#settings.clock.now() - open.openedAt >= this.#settings.maxAgeSeconds
  }

  #exclusive<T>(run: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#commands.push(() => run().then(resolve, reject))
      this.#wake()
    })
  }

  #wake(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#commands.length > 0 || this.#ready()) this.#wake()
    })
  }

  #ready(): boolean {
    const head = this.#queue[0]
    return head !== undefined && head.state !== 'verifying'
  }

  async #run(): Promise<void> {
    await Promise.resolve() // what wakes it may be in the middle of a command
    for (;;) {
      const command = this.#commands.shift()
      if (command !== undefined) await command()
      else if (this.#ready()) await this.#writeNext()
      else return
    }
  }

  async #writeNext(): Promise<void> {
    const works: QueuedWork[] = []
    let rows = 0
    while (this.#ready()) {
      const head = this.#queue[0]!
      if (head.state === 'verified') {
        if (works.length > 0 && rows + head.count > this.#settings.maxWriteRows) break
        works.push(head)
        rows += head.count
      } else if (head.state !== 'verifying') head.resolve({ refusal: head.state })
      this.#queue.shift()
    }
    if (works.length === 0) return
    const asOf = this.asOfNow()
    const refusal = this.refusal()
    if (refusal !== undefined || asOf === undefined) {
      for (const work of works) work.resolve({ refusal: refusal ?? this.refusal()! })
      return
    }
    const undo = this.#mark()
    const firstPosition = this.#book.state.position
    const firstSequence = this.#settings.journal.length + 1
    let micro: MicroBatch
    try {
      const builder = this.#builder(asOf, rows)
      for (const work of works) builder.apply(work)
      micro = builder.finish()
    } catch (error) {
      undo()
      this.#halt(error, works)
      return
    }
    try {
      await this.#write(micro, undo)
    } catch {
      for (const work of works) work.resolve({ refusal: this.refusal()! })
      return
    }
    const lastSequence = this.#settings.journal.length
    const signed = this.#answers.sign(micro, firstPosition, { firstSequence, lastSequence })
    try {
      await markDuplicates(micro, this.#settings)
    } catch (error) {
      this.#halt(error, works)
      return
    }
    this.#settings.metrics?.written(works.length, micro, (performance.now() - works[0]!.queuedAt) / 1000)
    this.#answers.give(works, signed, (error) => this.#halt(error, works))
  }

  /** A fault of ours: never commit on doubt. */
  #halt(error: unknown, works: readonly QueuedWork[]): void {
    this.hold('fault', 'the sequencer has met a fault and stops')
    for (const work of works) work.resolve({ refusal: this.refusal()! })
    this.#settings.onFault(error)
  }

  /** What a failed write must bring back. */
  #mark(): () => void {
    const [book, index] = [this.#book.mark(), this.#settings.index.mark()]
    return () => {
      book()
      index()
    }
  }

  #builder(asOf: number, rows: number): MicroBatchBuilder {
    const { clock, view, maxBatchRows, journal, index } = this.#settings
    const [maxRows, { chunkRecords }] = [maxBatchRows(), view.rules.layout]
    this.#memory.begin()
    const input = {
      now: clock.now(),
      asOf,
      nowMs: Date.now(),
      l1Block: view.finalBlock,
      maxRows,
      forced: (from: number, of: number) => takeable(view.forced, { from, asOf: of, maxRows, chunkRecords }),
      journalLength: journal.length,
      memory: this.#memory,
    }
    return new MicroBatchBuilder(this.#book, index, input, rows)
  }

  async #write(micro: MicroBatch, undo: () => void): Promise<void> {
    try {
      if (micro.entries.length > 0) await this.#append(micro.entries, this.#settings.index.operations(micro.accepted))
    } catch (error) {
      undo()
      throw error
    }
    this.#book.state.keep()
    this.#settings.metrics?.forced(micro.forced)
    this.#settings.snapshots?.wrote(micro.accepted, () => this.#snapshot())
    for (const batch of micro.closed) this.#settings.onClosed(batch)
  }

  #reviseInput(): ReviseInput {
    const { journal, view, domain, openedAsOf, clock } = this.#settings
    return { book: this.#book, journal, view, domain, openedAsOf, now: clock.now(), asOf: this.asOfNow() }
  }

  async #revise({ entries, book }: Revised): Promise<void> {
    await this.#append(entries, this.#settings.index.flush())
    this.#book = book
  }

  async #append(entries: readonly JournalEntry[], operations: readonly WriteOperation[]): Promise<void> {
    try {
      await this.#settings.journal.append(entries, operations)
      this.#settings.index.written()
    } catch (error) {
      this.#storeFailed = true
      this.#settings.metrics?.writeFailed()
      this.#settings.log.error({ err: error }, 'the journal cannot be written: taking nothing in until it can')
      this.#commands.unshift(() => this.#recover())
      throw error
    }
  }

  async #recover(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        await this.#settings.journal.recover()
        this.#storeFailed = false
        this.#settings.log.warn('the journal can be written again')
        return
      } catch {
        for (const work of this.#queue.splice(0)) work.resolve({ refusal: this.refusal()! })
        await pause(RECOVERY_PAUSE_MS, signal)
      }
    }
  }
}
