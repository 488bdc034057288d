import type { LaneRules } from '../../protocol/laneRules.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { dataCorrupted } from '../store/corrupted.ts'
import { type ClosedEntry, EntryKind, type RecordsEntry, type RedatedEntry, verdictOf } from '../store/entry.ts'
import type { LaneJournal } from '../store/journal.ts'
import { LaneBook } from './laneBook.ts'

export interface ReplayInput {
  readonly journal: LaneJournal
  readonly rules: LaneRules
  /** `asOf` of the lane's header 0. */
  readonly openedAsOf: number
  readonly now: number
}

/** Computes where a lane stands from its journal alone. Throws DATA_CORRUPTED rather than reach a state that was never acknowledged. */
export async function replayLane(input: ReplayInput): Promise<LaneBook> {
  const { journal, rules, openedAsOf, now } = input
  const book = new LaneBook(journal.lane, rules, openedAsOf)
  const redatings = await journal.redatings()
  const replay = new Replay(book, redatings)
  for await (const { sequence, entry } of journal.read()) {
    switch (entry.kind) {
      case EntryKind.OPENED:
        replay.opened(entry.batch, entry.asOf, sequence, now)
        break
      case EntryKind.RECORDS:
        replay.records(entry, sequence)
        break
      case EntryKind.CLOSED:
        replay.closed(entry, sequence)
        break
      case EntryKind.REDATED:
        replay.redated(sequence)
        break
      default:
        entry satisfies never
    }
  }
  replay.end()
  return book
}

class Replay {
  readonly #book: LaneBook
  readonly #redatings: readonly (RedatedEntry & { sequence: number })[]
  #redatingsSeen = 0

  constructor(book: LaneBook, redatings: readonly (RedatedEntry & { sequence: number })[]) {
    this.#book = book
    this.#redatings = redatings
  }

  opened(batch: number, asOf: number, sequence: number, now: number): void {
    const book = this.#book
    if (book.open !== undefined || batch !== book.lastIndex + 1) throw this.#wrong(sequence)
    book.begin({
      asOf: this.#datingOf(batch)?.asOf ?? asOf,
      openedAt: now,
      openedAtMs: Date.now(),
      firstSequence: sequence,
    })
  }

  records(entry: RecordsEntry, sequence: number): void {
    const book = this.#book
    const { open } = book
    if (open === undefined || entry.batch !== open.index || entry.firstRow !== open.rowCount)
      throw this.#wrong(sequence)
    for (let row = 0; row < entry.count; row++) {
      const at = row * SIGNED_RECORD_BYTES
      const outcome = open.settlement.settle(entry.rows, at, verdictOf(entry.verdicts, row))
      if (outcome !== Outcome.SETTLED && outcome !== Outcome.EMPTY) book.noOps.set(book.state.position - 1, outcome)
      book.countRow()
    }
    open.lastSequence = sequence
  }

  closed(entry: ClosedEntry, sequence: number): void {
    const { open } = this.#book
    if (open === undefined || entry.batch !== open.index || entry.rowCount !== open.rowCount)
      throw this.#wrong(sequence)
    const dating = this.#datingOf(entry.batch)
    const { postRoot } = this.#book.close(sequence, entry.closedAtMs)
    // A batch that was dated anew after it closed came to another root then.
    const sameDate = dating === undefined || dating.sequence < sequence
    if (sameDate && Buffer.compare(postRoot, entry.postRoot) !== 0) {
      throw dataCorrupted(`batch ${entry.batch} of lane ${this.#book.lane} replays to another root than was recorded`)
    }
  }

  redated(sequence: number): void {
    if (this.#redatings[this.#redatingsSeen++]?.sequence !== sequence) throw this.#wrong(sequence)
  }

  end(): void {
    if (this.#redatingsSeen !== this.#redatings.length) {
      throw dataCorrupted(`a redating of lane ${this.#book.lane} is missing from its journal`)
    }
  }

  /** The last redating of a batch, if any. */
  #datingOf(batch: number): (RedatedEntry & { sequence: number }) | undefined {
    return this.#redatings.findLast(({ firstBatch, lastBatch }) => firstBatch <= batch && batch <= lastBatch)
  }

  #wrong(sequence: number): Error {
    return dataCorrupted(`entry ${sequence} of lane ${this.#book.lane}'s journal does not follow from those before`)
  }
}
