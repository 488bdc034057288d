import { setImmediate as nextTurn } from 'node:timers/promises'
import { deserialize, serialize } from 'node:v8'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { ROOT_BYTES, type StateCopy } from '../../protocol/laneState.ts'
import type { Outcome } from '../../protocol/outcome.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { type ClosedBatch, rootAt } from '../closedBatch.ts'
import { EntryKind } from '../store/entry.ts'
import type { Head } from '../../runtime/headFile.ts'
import type { Revision } from '../store/journal.ts'
import type { RecordIndex } from '../store/recordIndex.ts'
import type { Bytes } from '../store/keys.ts'
import { ChunkRoots } from './chunkRoots.ts'
import { type ForcedFate, LaneBook, type OpenBatch } from './laneBook.ts'

/** Where a lane stood after an entry of its journal. Taken at once; written at leisure, since nothing in it changes any more. */
export interface LaneSnapshot {
  readonly head: Head
  readonly lane: number
  readonly root: Uint8Array
  readonly last: { readonly index: number; readonly asOf: number; readonly root: Uint8Array }
  readonly open: OpenCopy | undefined
  readonly closed: readonly ClosedBatch[]
  readonly forced: readonly ForcedFate[]
  readonly noOps: readonly (readonly [position: number, outcome: Outcome])[]
  readonly state: StateCopy
  /** What the record index had in memory alone. */
  readonly recent: Bytes
}

type OpenCopy = Omit<OpenBatch, 'settlement' | 'roots' | 'openedAt' | 'openedAtMs'> & { readonly roots: Uint8Array }

const FORMAT = 3
/** Batches, or forced records, to a part: some milliseconds of the event loop. */
const PART_ITEMS = 1_000

/** `head` is the entry after which the book stands: everything in the book is on disk. Copies the leaves: 10 ms for a million EVSEs and contracts. */
export function takeSnapshot(book: LaneBook, index: RecordIndex, head: Head): LaneSnapshot {
  const { open } = book
  return {
    head,
    lane: book.lane,
    root: book.state.root(),
    last: { index: book.lastIndex, asOf: book.lastAsOf, root: book.lastRoot },
    open: open && copyOpen(open),
    closed: [...book.closed.values()],
    forced: book.forced.slice(),
    noOps: [...book.noOps],
    state: book.state.copy(),
    recent: index.copy(),
  }
}

function copyOpen({ settlement: _, roots, openedAt: __, openedAtMs: ___, ...open }: OpenBatch): OpenCopy {
  return { ...open, roots: Buffer.concat(roots.all()) }
}

/** As `writeSnapshotFile` takes them. */
export async function* snapshotParts({ closed, forced, state, recent, ...rest }: LaneSnapshot): AsyncIterable<Bytes> {
  const counts = { closed: closed.length, forced: forced.length }
  yield serialize({ format: FORMAT, counts, ...rest, laneLeaf: state.laneLeaf })
  for (const items of [closed.map(({ layout: _, lane: __, ...batch }) => batch), forced]) {
    for (let from = 0; from < items.length; from += PART_ITEMS) {
      yield serialize(items.slice(from, from + PART_ITEMS))
      await nextTurn()
    }
  }
  yield state.evses
  yield state.contracts
  yield recent
}

/** What `snapshotParts` made; undefined when this version did not make it, or it is of another lane. */
export function readSnapshot(parts: readonly Bytes[], lane: number): LaneSnapshot | undefined {
  try {
    const [first, ...others] = parts
    const { format, counts, laneLeaf, ...rest } = deserialize(first!) as SnapshotHeader
    if (format !== FORMAT || rest.lane !== lane || others.length < 3) return undefined
    const items = others.slice(0, -3).flatMap((part) => deserialize(part) as unknown[])
    if (items.length !== counts.closed + counts.forced) return undefined
    const [evses, contracts, recent] = others.slice(-3) as [Bytes, Bytes, Bytes]
    return {
      ...rest,
      closed: items.slice(0, counts.closed) as ClosedBatch[],
      forced: items.slice(counts.closed) as ForcedFate[],
      state: { evses, contracts, laneLeaf },
      recent,
    }
  } catch {
    return undefined // structured clones of another Node
  }
}

type SnapshotHeader = Omit<LaneSnapshot, 'closed' | 'forced' | 'state' | 'recent'> & {
  readonly format: number
  readonly counts: { readonly closed: number; readonly forced: number }
  readonly laneLeaf: Uint8Array
}

/** Whether nothing that was decided since, or is proposed now, concerns a batch that the snapshot knows. */
export function isCurrent({ head, last, open }: LaneSnapshot, revisions: readonly Revision[]): boolean {
  const newest = open?.index ?? last.index
  return revisions.every((revision) => {
    const first = revision.kind === EntryKind.REDATED ? revision.firstBatch : revision.batch
    return revision.sequence <= head.sequence || first > newest
  })
}

/** The lane's book as it was; undefined when its leaves do not come to its root. */
export function restoreBook(
  snapshot: LaneSnapshot,
  lane: { readonly rules: LaneRules; readonly openedAsOf: number; readonly now: number },
): LaneBook | undefined {
  const { rules, openedAsOf, now } = lane
  const book = new LaneBook(snapshot.lane, rules, openedAsOf)
  book.state.restore(snapshot.state)
  if (Buffer.compare(book.state.root(), snapshot.root) !== 0) return undefined
  for (const batch of snapshot.closed) {
    book.closed.set(batch.index, { ...batch, lane: snapshot.lane, layout: rules.layout })
  }
  for (const fate of snapshot.forced) book.forced.push(fate)
  for (const [position, outcome] of snapshot.noOps) book.noOps.set(position, outcome)
  book.lastIndex = snapshot.last.index
  book.lastAsOf = snapshot.last.asOf
  book.lastRoot = snapshot.last.root
  if (snapshot.open !== undefined) {
    const { roots, ...open } = snapshot.open
    book.open = {
      ...open,
      settlement: new Settlement(book.state, rules, open.asOf),
      roots: new ChunkRoots(
        book.state,
        Array.from({ length: roots.length / ROOT_BYTES }, (_, k) => rootAt(roots, k)),
      ),
      openedAt: now,
      openedAtMs: Date.now(),
    }
  }
  return book
}
