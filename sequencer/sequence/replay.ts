import type { LaneRules } from '../../protocol/laneRules.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { type ForcedEntry, follows } from '../forced.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import {
  type ClosedEntry,
  EntryKind,
  type InsertedEntry,
  type OpenedEntry,
  type RecordsEntry,
  type SummedEntry,
  verdictOf,
} from '../store/entry.ts'
import type { ForcedRun } from '../store/forcedRun.ts'
import type { Head } from '../../runtime/headFile.ts'
import type { LaneJournal, Revision } from '../store/journal.ts'
import type { RecordIndex } from '../store/recordIndex.ts'
import { judgeAggregates } from './keptAggregates.ts'
import { LaneBook } from './laneBook.ts'
import { isCurrent, type LaneSnapshot, restoreBook } from './laneSnapshot.ts'
import { Revisions } from './revisions.ts'

export interface ReplayInput {
  readonly journal: LaneJournal
  readonly rules: LaneRules
  /** The lane's signing domain. */
  readonly domain: Uint8Array
  /** `asOf` of the lane's header 0. */
  readonly openedAsOf: number
  readonly now: number
  /** Where to begin instead of at the first entry, if it still holds. */
  readonly snapshot?: LaneSnapshot | undefined
  /** Is told of the records, where the replay is the lane's start. */
  readonly index?: RecordIndex | undefined
  /** Where the lane would stand if these were appended next; their roots are not looked at. */
  readonly proposed?: readonly Revision[]
}

/** Computes where a lane stands from its journal alone. Throws DATA_CORRUPTED rather than reach a state that was never acknowledged. */
export async function replayLane(input: ReplayInput): Promise<LaneBook> {
  const { journal, rules, domain, openedAsOf, now, index, proposed = [] } = input
  const written = await journal.revisions()
  const all = [...written, ...proposed]
  const start = await startOf(input, all)
  const book = start?.book ?? new LaneBook(journal.lane, rules, openedAsOf)
  if (start !== undefined) index?.restore(start.recent)
  const revisions = new Revisions(all)
  const replay = new Replay(book, { revisions, written: journal.length, now, domain, index })
  let revisionsSeen = start === undefined ? 0 : written.filter(({ sequence }) => sequence <= start.head.sequence).length
  for await (const { sequence, entry } of journal.read(start?.head)) {
    switch (entry.kind) {
      case EntryKind.OPENED:
        replay.opened(entry, sequence)
        break
      case EntryKind.RECORDS:
        replay.records(entry, sequence)
        break
      case EntryKind.CLOSED:
        replay.closed(entry, sequence)
        break
      case EntryKind.REDATED:
      case EntryKind.INSERTED:
        if (written[revisionsSeen++]?.sequence !== sequence) throw replay.wrong(sequence)
        break
      case EntryKind.SUMMED:
        replay.summed(entry, sequence)
        break
      default:
        entry satisfies never
    }
  }
  if (revisionsSeen !== written.length) {
    throw dataCorrupted(`a revision of lane ${journal.lane} is missing from its journal`)
  }
  replay.end()
  index?.replayed(book.state.position)
  return book
}

/** The snapshot, when it is of this very journal: of an entry whose hash it knows. */
async function startOf(
  { journal, rules, openedAsOf, now, snapshot }: ReplayInput,
  revisions: readonly Revision[],
): Promise<{ book: LaneBook; head: Head; recent: Uint8Array } | undefined> {
  if (snapshot === undefined || !isCurrent(snapshot, revisions)) return undefined
  const { head } = snapshot
  const hash = await journal.hashOf(head.sequence)
  if (hash === undefined || Buffer.compare(hash, head.hash) !== 0) return undefined
  const book = restoreBook(snapshot, { rules, openedAsOf, now })
  return book && { book, head, recent: snapshot.recent }
}

class Replay {
  readonly #book: LaneBook
  readonly #revisions: Revisions
  readonly #insertions: ReturnType<Revisions['insertions']>
  /** Entries of the journal; what comes after is only proposed. */
  readonly #written: number
  readonly #now: number
  readonly #domain: Uint8Array
  readonly #index: RecordIndex | undefined
  /** Of the open batch, when its rows came back from L1 without their signatures. */
  #aggregates: Uint8Array | undefined

  constructor(
    book: LaneBook,
    input: Pick<ReplayInput, 'now' | 'domain' | 'index'> & { revisions: Revisions; written: number },
  ) {
    this.#book = book
    this.#revisions = input.revisions
    this.#insertions = input.revisions.insertions()
    this.#written = input.written
    this.#now = input.now
    this.#domain = input.domain
    this.#index = input.index
  }

  opened(entry: OpenedEntry, sequence: number): void {
    const book = this.#book
    if (book.open !== undefined) throw this.wrong(sequence)
    this.#insert()
    if (this.#revisions.indexOf(entry.batch, sequence) !== book.lastIndex + 1) throw this.wrong(sequence)
    this.#begin(entry, sequence)
  }

  summed(entry: SummedEntry, sequence: number): void {
    const { open } = this.#book
    const index = this.#revisions.indexOf(entry.batch, sequence)
    if (open === undefined || index !== open.index || open.rowCount !== 0) throw this.wrong(sequence)
    this.#aggregates = entry.aggregates
  }

  records(entry: RecordsEntry, sequence: number): void {
    const book = this.#book
    const { open } = book
    const index = this.#revisions.indexOf(entry.batch, sequence)
    if (open === undefined || index !== open.index || entry.firstRow !== open.rowCount) throw this.wrong(sequence)
    open.verdicts = this.#judgedAnew(entry, sequence)
    const verdicts = open.verdicts ?? entry.verdicts
    for (let row = 0; row < entry.count; row++) {
      const at = row * book.rules.layout.rowBytes
      const outcome = open.settlement.settle(entry.rows, at, verdictOf(verdicts, row))
      const position = book.state.position - 1
      if (outcome === Outcome.SETTLED) {
        this.#index?.add(entry.rows, at, { position, amountMicro: open.settlement.amountMicro, sequence, row })
      } else if (outcome !== Outcome.EMPTY) book.noOps.set(position, outcome)
      book.countRow()
    }
    open.lastSequence = sequence
  }

  closed(entry: ClosedEntry, sequence: number): void {
    const { open } = this.#book
    const index = this.#revisions.indexOf(entry.batch, sequence)
    if (open === undefined || index !== open.index || entry.rowCount !== open.rowCount) throw this.wrong(sequence)
    this.#close(entry, sequence)
  }

  end(): void {
    if (this.#book.open === undefined) this.#insert()
  }

  wrong(sequence: number): Error {
    return dataCorrupted(`entry ${sequence} of lane ${this.#book.lane}'s journal does not follow from those before`)
  }

  /** The batches that were put where the lane has come to. */
  #insert(): void {
    for (;;) {
      const inserted = this.#insertions.get(this.#book.lastIndex + 1)
      if (inserted === undefined) return
      this.#begin(inserted, inserted.sequence)
      this.#close(inserted, inserted.sequence)
    }
  }

  #begin(entry: OpenedEntry | InsertedEntry, sequence: number): void {
    this.#book.begin({
      asOf: this.#revisions.datingOf(entry.batch, sequence)?.asOf ?? entry.asOf,
      openedAt: this.#now,
      openedAtMs: Date.now(),
      firstSequence: sequence,
      isWritten: true,
      forced: this.#unconsumed(entry.forced, sequence),
    })
  }

  /**
   * Single signatures hold whatever the date. A sum is over the records that pass check 1 by the date that the batch had on L1: it may mean
   * something else by another.
   */
  #judgedAnew({ batch, rows, count }: RecordsEntry, sequence: number): Uint8Array | undefined {
    const dating = this.#revisions.datingOf(batch, sequence)
    if (this.#aggregates === undefined || dating === undefined) return undefined
    const lane = { rules: this.#book.rules, domain: this.#domain }
    return judgeAggregates(lane, { rows, rowCount: count, aggregates: this.#aggregates, asOf: dating.asOf })
  }

  /** A batch that was inserted before this one may have consumed some of its entries. */
  #unconsumed({ start, entries }: ForcedRun, sequence: number): readonly ForcedEntry[] {
    const { forced, forcedWord } = this.#book
    if (start > forced.length) throw this.wrong(sequence)
    const left = entries.slice(forced.length - start)
    let word = forcedWord
    for (const entry of left) {
      if (!follows(word, entry)) throw this.wrong(sequence)
      word = entry.word
    }
    return left
  }

  #close(entry: ClosedEntry | InsertedEntry, sequence: number): void {
    const { postRoot } = this.#book.close(sequence, entry.closedAtMs)
    this.#aggregates = undefined
    if (sequence > this.#written || this.#revisions.isRevisedAfter(entry.batch, sequence)) return
    if (Buffer.compare(postRoot, entry.postRoot) !== 0) {
      throw dataCorrupted(`batch ${entry.batch} of lane ${this.#book.lane} replays to another root than was recorded`)
    }
  }
}
