import { readU32 } from '../../protocol/bigEndian.ts'
import { forcedChunksFor } from '../../protocol/forced.ts'
import { Outcome } from '../../protocol/outcome.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import type { ForcedEntry } from '../forced.ts'
import { EntryKind, type JournalEntry } from '../store/entry.ts'
import type { RecordIndex } from '../store/recordIndex.ts'
import type { WriteMemory } from '../store/writeMemory.ts'
import { RESULT_BYTES, writeResult } from '../submission.ts'
import { endSeconds, type LaneBook, type OpenBatch } from './laneBook.ts'

/** A submission whose signatures have been judged. */
export interface VerifiedWork {
  readonly rows: Uint8Array
  readonly count: number
  /** `Verdict` of each row: 0 bad, 1 good, 2 unknown EVSE, 3 empty. */
  readonly verdicts: Uint8Array
  /** `count` × result, filled here; worth something only once the journal holds the entries. */
  readonly results: Uint8Array
}

export interface MicroBatchInput {
  readonly now: number
  /** `asOf` for a batch opened now. */
  readonly asOf: number
  readonly l1Block: bigint
  readonly maxRows: number
  /** Entries of the forced queue from the one with index `from` on, as many as a batch of this `asOf` takes. */
  readonly forced: (from: number, asOf: number) => readonly ForcedEntry[]
  readonly nowMs: number
  /** Entries the journal holds already. */
  readonly journalLength: number
  /** For the entries' rows. */
  readonly memory: WriteMemory
}

export interface MicroBatch {
  readonly entries: JournalEntry[]
  readonly closed: ClosedBatch[]
  /** Rows to be looked up: an identical record accepted before makes them duplicates. */
  readonly overlaps: { work: VerifiedWork; row: number; evse: number; start: number }[]
  accepted: number
  readonly outcomes: Uint32Array
  /** Outcomes of forced records. */
  readonly forced: Uint32Array
}

/** Rows of one RECORDS entry, growing. */
interface Segment {
  readonly batch: number
  readonly firstRow: number
  readonly rows: Uint8Array
  count: number
}

/**
 * Applies works to the book in their order and says what the journal must hold for it. Synchronous and without I/O: durable is what
 * the caller makes it, or takes back.
 */
export class MicroBatchBuilder {
  readonly #book: LaneBook
  readonly #index: RecordIndex
  readonly #input: MicroBatchInput
  readonly #result: MicroBatch = {
    entries: [],
    closed: [],
    overlaps: [],
    accepted: 0,
    outcomes: new Uint32Array(Object.keys(Outcome).length),
    forced: new Uint32Array(Object.keys(Outcome).length),
  }
  readonly #rowBytes: number
  #segment: Segment | undefined
  /** Rows that follow one another, accepted into the segment and not copied yet: one copy for all of them. */
  #run: { readonly source: Uint8Array; readonly from: number; to: number } | undefined
  #rowsLeft: number

  constructor(book: LaneBook, index: RecordIndex, input: MicroBatchInput, rowsAtMost: number) {
    this.#book = book
    this.#index = index
    this.#rowBytes = book.rules.layout.rowBytes
    this.#input = input
    this.#rowsLeft = rowsAtMost
  }

  apply(work: VerifiedWork): void {
    for (let row = 0; row < work.count; row++) this.#applyRow(work, row)
    this.#copyRun()
    this.#rowsLeft -= work.count
  }

  closeBatch(): void {
    const { open } = this.#book
    if (open?.isWritten !== true) return
    this.#endSegment()
    const batch = this.#book.close(this.#nextSequence(), this.#input.nowMs)
    this.#result.entries.push({
      kind: EntryKind.CLOSED,
      batch: batch.index,
      postRoot: batch.postRoot,
      rowCount: batch.rowCount,
      closedAtMs: batch.closedAtMs,
    })
    this.#result.closed.push(batch)
  }

  /** Opens a batch for what waits in the forced queue, if anything does. */
  openForced(): void {
    if (this.#book.open === undefined) this.#begin()
  }

  finish(): MicroBatch {
    this.#endSegment()
    // A batch is opened by its first record, accepted or forced: without one it was only tried, and the next is dated anew.
    if (this.#book.open?.isWritten === false) this.#book.open = undefined
    return this.#result
  }

  #applyRow(work: VerifiedWork, row: number): void {
    const { rows, verdicts, results } = work
    const at = row * this.#rowBytes
    const verdict = verdicts[row]!
    let outcome: Outcome
    if (verdict === 3) outcome = Outcome.EMPTY
    else if (verdict === 2) outcome = Outcome.UNKNOWN_EVSE
    else outcome = this.#judge(rows, at, verdict === 1)
    this.#result.outcomes[outcome]!++
    if (outcome === Outcome.SETTLED) {
      this.#accept(rows, at, results, row)
      return
    }
    if (outcome === Outcome.OVERLAP) {
      this.#result.overlaps.push({ work, row, evse: readU32(rows, at), start: readU32(rows, at + 8) })
    }
    writeResult(results, row * RESULT_BYTES, { code: outcome, position: 0, amountMicro: 0 })
  }

  #judge(rows: Uint8Array, at: number, signatureValid: boolean): Outcome {
    const { asOf, now } = this.#input
    let open = this.#book.open ?? this.#begin()
    if (signatureValid && open.asOf < asOf) {
      const end = endSeconds(rows, at)
      if (end > open.asOf && end <= now) {
        this.closeBatch()
        open = this.#begin()
      }
    }
    return open.settlement.trySettle(rows, at, signatureValid)
  }

  #begin(): OpenBatch {
    this.#endSegment()
    const book = this.#book
    const { asOf, now, nowMs, forced } = this.#input
    const entries = forced(book.forced.length, asOf)
    const firstSequence = this.#nextSequence()
    const opening = { asOf, openedAt: now, openedAtMs: nowMs, firstSequence, isWritten: false }
    const open = book.begin({ ...opening, forced: entries })
    for (const { outcome } of book.forced.slice(open.forced.start)) this.#result.forced[outcome]!++
    if (entries.length > 0) this.#writeOpening(open)
    return open
  }

  #writeOpening(open: OpenBatch): void {
    const { index, asOf, forced } = open
    const { l1Block } = this.#input
    this.#result.entries.push({ kind: EntryKind.OPENED, batch: index, asOf, l1Block, forced })
    open.isWritten = true
  }

  #accept(rows: Uint8Array, at: number, results: Uint8Array, row: number): void {
    const book = this.#book
    const open = book.open!
    const position = book.state.position - 1
    const amountMicro = open.settlement.amountMicro
    if (!open.isWritten) this.#writeOpening(open)
    this.#segment ??= {
      batch: open.index,
      firstRow: open.rowCount,
      rows: this.#input.memory.take(Math.min(this.#rowsLeft, this.#input.maxRows) * this.#rowBytes),
      count: 0,
    }
    const segment = this.#segment
    if (this.#run?.to !== at) {
      this.#copyRun()
      this.#run = { source: rows, from: at, to: at }
    }
    this.#run.to += this.#rowBytes
    segment.count++
    this.#index.add(rows, at, { position, amountMicro, sequence: this.#nextSequence(), row: segment.count - 1 })
    this.#result.accepted++
    writeResult(results, row * RESULT_BYTES, { code: Outcome.SETTLED, position, amountMicro })
    book.countRow()
    if (open.rowCount >= this.#room(open)) this.closeBatch()
  }

  /** Rows that a batch holds beside its forced chunks. */
  #room({ forced }: OpenBatch): number {
    const { chunkRecords } = this.#book.rules.layout
    return this.#input.maxRows - forcedChunksFor(forced.entries.length, chunkRecords) * chunkRecords
  }

  /** Of the entry that would be pushed now: a segment's, until it ends. */
  #nextSequence(): number {
    return this.#input.journalLength + this.#result.entries.length + 1
  }

  #copyRun(): void {
    if (this.#run === undefined) return
    const { source, from, to } = this.#run
    const segment = this.#segment!
    segment.rows.set(source.subarray(from, to), segment.count * this.#rowBytes - (to - from))
    this.#run = undefined
  }

  #endSegment(): void {
    const segment = this.#segment
    if (segment === undefined) return
    this.#copyRun()
    this.#segment = undefined
    const open = this.#book.open
    if (open !== undefined) open.lastSequence = this.#nextSequence()
    this.#result.entries.push({
      kind: EntryKind.RECORDS,
      batch: segment.batch,
      firstRow: segment.firstRow,
      writtenAtMs: this.#input.nowMs,
      count: segment.count,
      verdicts: new Uint8Array(Math.ceil(segment.count / 8)).fill(0xff),
      rows: segment.rows,
    })
  }
}
