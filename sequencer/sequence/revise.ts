import { FORCED_BATCH_ENTRIES, FORCED_DUE_SECONDS } from '../../protocol/limits.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import type { ForcedEntry } from '../forced.ts'
import type { RulesView } from '../rulesView.ts'
import { EntryKind, type InsertedEntry, type JournalEntry, type RedatedEntry } from '../store/entry.ts'
import type { LaneJournal } from '../store/journal.ts'
import { statesOurRoots } from './adopt.ts'
import type { LaneBook } from './laneBook.ts'
import { replayLane } from './replay.ts'

/** Somebody else's batch of forced chunks alone, as L1 has it. */
export interface ForcedBatch {
  readonly index: number
  readonly asOf: number
  readonly l1Block: bigint
  readonly postRoot: Uint8Array
  readonly preRoots: readonly Uint8Array[]
  /** Entries that the batches before it consumed. */
  readonly start: number
  readonly entries: readonly ForcedEntry[]
  readonly submittedAt: number
}

export interface ReviseInput {
  readonly book: LaneBook
  readonly journal: LaneJournal
  readonly view: RulesView
  /** The lane's signing domain. */
  readonly domain: Uint8Array
  /** `asOf` of the lane's header 0. */
  readonly openedAsOf: number
  readonly now: number
  /** For what is dated anew; undefined while nothing can be dated. */
  readonly asOf: number | undefined
}

/** What the journal must be given, and where the lane stands then. */
export interface Revised {
  readonly entries: readonly JournalEntry[]
  readonly book: LaneBook
}

/**
 * Batches from `firstBatch` on are settled as of a later moment. Where they waited so long that L1 refuses them for what they leave in the
 * forced queue, batches of forced chunks go before them. Undefined while nothing can be dated.
 */
export async function reviseDates(input: ReviseInput, firstBatch: number): Promise<Revised | undefined> {
  const { asOf, view, now, book } = input
  const lastBatch = lastOf(book)
  if (asOf === undefined || lastBatch < firstBatch) return undefined
  const { start, entries } = overlooked(input, firstBatch, asOf)
  const inserted: InsertedEntry[] = []
  for (let from = 0; from < entries.length; from += FORCED_BATCH_ENTRIES) {
    inserted.push({
      kind: EntryKind.INSERTED,
      batch: firstBatch + inserted.length,
      asOf,
      l1Block: view.finalBlock,
      postRoot: book.lastRoot,
      closedAtMs: now * 1000,
      forced: { start: start + from, entries: entries.slice(from, from + FORCED_BATCH_ENTRIES) },
    })
  }
  const redated = redating(input, { firstBatch: firstBatch + inserted.length, moved: inserted.length, asOf })
  const revised = await propose(input, [...inserted, redated])
  const rooted = inserted.map((entry) => ({ ...entry, postRoot: revised.closed.get(entry.batch)!.postRoot }))
  return { entries: [...rooted, redated], book: revised }
}

/**
 * Puts their batch where L1 has it, before ours, which keep their records and positions and, where theirs is later, get another date.
 * `false`: it claims roots that settlement does not come to. Undefined while nothing can be dated.
 */
export async function reviseForTheirs(input: ReviseInput, theirs: ForcedBatch): Promise<Revised | 'false' | undefined> {
  const { book } = input
  const { index, asOf, l1Block, postRoot, start, entries } = theirs
  const inserted: InsertedEntry = {
    kind: EntryKind.INSERTED,
    batch: index,
    asOf,
    l1Block,
    postRoot,
    closedAtMs: theirs.submittedAt * 1000,
    forced: { start, entries },
  }
  const revisions: (InsertedEntry | RedatedEntry)[] = [inserted]
  const next = book.closed.get(index)?.asOf ?? (book.open?.index === index ? book.open.asOf : undefined)
  if (next !== undefined && next < asOf) {
    if (input.asOf === undefined) return undefined
    const later = Math.max(input.asOf, asOf)
    revisions.push(redating(input, { firstBatch: index + 1, moved: 1, asOf: later }))
  }
  const revised = await propose(input, revisions)
  const batch = revised.closed.get(index)
  const isTrue =
    batch !== undefined && Buffer.compare(batch.postRoot, postRoot) === 0 && statesOurRoots(theirs.preRoots, batch)
  return isTrue ? { entries: revisions, book: revised } : 'false'
}

/** Roots of batch `first` and of those behind it, where they were dropped; returns that batch. Replays the lane from its first entry. */
export async function recallRoots({ book, ...input }: ReviseInput, first: number): Promise<ClosedBatch> {
  const { journal, view, domain, openedAsOf, now } = input
  const { closed } = await replayLane({ journal, rules: view.rules, domain, openedAsOf, now })
  for (let index = first; index <= book.lastIndex; index++) {
    book.closed.set(index, { ...book.closed.get(index)!, preRoots: closed.get(index)!.preRoots })
  }
  return book.closed.get(first)!
}

/** All known entries from batch `firstBatch` on, if it leaves one behind that is on its way to being due; else none. */
function overlooked(
  { book, view }: ReviseInput,
  firstBatch: number,
  asOf: number,
): { start: number; entries: readonly ForcedEntry[] } {
  const first = book.closed.get(firstBatch)?.forced ?? book.open!.forced
  const left = view.forced[first.start + first.entries.length]
  if (left === undefined || left.queuedAt + FORCED_DUE_SECONDS / 2 > asOf) return { start: first.start, entries: [] }
  return { start: first.start, entries: view.forced.slice(first.start).filter((entry) => entry.queuedAt <= asOf) }
}

function redating(
  { book, view }: ReviseInput,
  { firstBatch, moved, asOf }: { firstBatch: number; moved: number; asOf: number },
): RedatedEntry {
  return { kind: EntryKind.REDATED, firstBatch, lastBatch: lastOf(book) + moved, asOf, l1Block: view.finalBlock }
}

function lastOf(book: LaneBook): number {
  return book.open?.index ?? book.lastIndex
}

async function propose(input: ReviseInput, revisions: readonly (InsertedEntry | RedatedEntry)[]): Promise<LaneBook> {
  const { journal, view, domain, openedAsOf, now } = input
  const proposed = revisions.map((revision, i) => ({ ...revision, sequence: journal.length + 1 + i }))
  return await replayLane({ journal, rules: view.rules, domain, openedAsOf, now, proposed })
}
