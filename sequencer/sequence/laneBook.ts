import type { Hex } from 'viem'
import { readU32 } from '../../protocol/bigEndian.ts'
import { chunksFor } from '../../protocol/chunk.ts'
import { forcedChunksFor } from '../../protocol/forced.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState, ROOT_BYTES } from '../../protocol/laneState.ts'
import { INTERVAL_SECONDS } from '../../protocol/limits.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { Settlement } from '../../protocol/settlement.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { type ForcedEntry, type ForcedSpan, NOTHING_FORCED } from '../forced.ts'
import { ChunkRoots } from './chunkRoots.ts'

export interface OpenBatch {
  readonly index: number
  readonly asOf: number
  readonly openedAt: number
  readonly openedAtMs: number
  readonly settlement: Settlement
  readonly forced: ForcedSpan
  readonly firstPosition: number
  readonly firstSequence: number
  readonly roots: ChunkRoots
  rowCount: number
  /** Bit a row: what signatures come to, where that is not what the journal says. */
  verdicts?: Uint8Array | undefined
  lastSequence: number
  /** The journal says that it was opened; before that it is only tried. */
  isWritten: boolean
}

/** What became of an entry of the forced queue. */
export interface ForcedFate {
  readonly entry: ForcedEntry
  readonly batch: number
  readonly outcome: Outcome
  readonly amountMicro: number
}

type Opening = Pick<OpenBatch, 'asOf' | 'openedAt' | 'openedAtMs' | 'firstSequence' | 'isWritten'> & {
  /** Entries of the forced queue, in its order from where the batches before stopped. */
  readonly forced?: readonly ForcedEntry[]
}

/** Where a lane stands: state, the batch being filled, the ones closed and not yet final. Changed by its writer alone. */
export class LaneBook {
  readonly lane: number
  readonly rules: LaneRules
  readonly state = new LaneState()
  open: OpenBatch | undefined
  /** Rows that a redating turned into no-ops, by position. */
  readonly noOps = new Map<number, Outcome>()
  /** Entries consumed, by index. */
  readonly forced: ForcedFate[] = []
  /** By index, rising. */
  readonly closed = new Map<number, ClosedBatch>()
  lastIndex = 0
  lastAsOf: number
  lastRoot: Uint8Array

  constructor(lane: number, rules: LaneRules, openedAsOf: number) {
    this.lane = lane
    this.rules = rules
    this.lastAsOf = openedAsOf
    this.lastRoot = this.state.root()
  }

  /** Entry word after the last entry consumed. */
  get forcedWord(): Hex {
    return this.forced.at(-1)?.entry.word ?? NOTHING_FORCED.startWord
  }

  /** Settles what the batch takes of the forced queue at once: it comes before its rows. */
  begin({ forced = [], ...opening }: Opening): OpenBatch {
    const { asOf, firstSequence } = opening
    this.open = {
      ...opening,
      index: this.lastIndex + 1,
      settlement: new Settlement(this.state, this.rules, asOf),
      forced: { start: this.forced.length, startWord: this.forcedWord, entries: forced },
      firstPosition: this.state.position,
      roots: new ChunkRoots(this.state, [this.lastRoot]),
      rowCount: 0,
      lastSequence: firstSequence,
    }
    this.#settleForced(this.open)
    return this.open
  }

  #settleForced({ index, settlement, forced: { entries }, roots }: OpenBatch): void {
    for (const [i, entry] of entries.entries()) {
      const outcome = settlement.settleForced(entry.record, 0)
      const amountMicro = outcome === Outcome.SETTLED ? settlement.amountMicro : 0
      this.forced.push({ entry, batch: index, outcome, amountMicro })
      const isChunkFull = (i + 1) % this.rules.layout.chunkRecords === 0
      if (isChunkFull || i + 1 === entries.length) roots.chunkEnded()
    }
  }

  /** A row of the open batch has been settled, or judged a no-op in a replay. */
  countRow(): void {
    const open = this.open!
    open.rowCount++
    if (open.rowCount % this.rules.layout.chunkRecords === 0) open.roots.chunkEnded()
  }

  close(lastSequence: number, closedAtMs: number): ClosedBatch {
    const open = this.open!
    const forcedChunks = forcedChunksFor(open.forced.entries.length, this.rules.layout.chunkRecords)
    // A batch whose forced entries were all consumed by another, and that holds no rows, is posted as a chunk of padding.
    const chunkCount = Math.max(1, forcedChunks + chunksFor(this.rules.layout, open.rowCount))
    const roots = open.roots.all()
    const postRoot = roots[chunkCount] ?? this.state.root()
    const batch: ClosedBatch = {
      lane: this.lane,
      layout: this.rules.layout,
      index: open.index,
      asOf: open.asOf,
      chunkCount,
      forcedChunks,
      preRoots: joined(roots.slice(0, chunkCount)),
      postRoot,
      forced: open.forced,
      rowCount: open.rowCount,
      firstPosition: open.firstPosition,
      firstSequence: open.firstSequence,
      lastSequence,
      closedAtMs,
      verdicts: open.verdicts,
      totals: this.state.lane(),
    }
    this.closed.set(batch.index, batch)
    this.lastIndex = batch.index
    this.lastAsOf = batch.asOf
    this.lastRoot = postRoot
    this.open = undefined
    return batch
  }

  /** The batch's roots are not needed any more, or not soon. */
  dropRoots(index: number): void {
    const batch = this.closed.get(index)
    if (batch !== undefined && batch.preRoots.length > 0) {
      this.closed.set(index, { ...batch, preRoots: new Uint8Array() })
    }
  }

  /** The closed batch that holds the record at `position`; undefined while it is open. */
  batchAt(position: number): ClosedBatch | undefined {
    if (this.open !== undefined && position >= this.open.firstPosition) return undefined
    let [low, high] = [1, this.lastIndex]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.closed.get(middle)!.firstPosition <= position) low = middle
      else high = middle - 1
    }
    return this.closed.get(low)
  }

  /** What a failed write must bring back. */
  mark(): () => void {
    const { open, lastIndex, lastAsOf, lastRoot } = this
    const rowCount = open?.rowCount ?? 0
    const roots = open?.roots.all().length ?? 0
    const lastSequence = open?.lastSequence ?? 0
    const forced = this.forced.length
    this.state.beginUndo()
    return () => {
      this.state.rollBack()
      for (let index = this.lastIndex; index > lastIndex; index--) this.closed.delete(index)
      this.lastIndex = lastIndex
      this.lastAsOf = lastAsOf
      this.lastRoot = lastRoot
      this.forced.length = forced
      this.open = open
      if (open !== undefined) {
        open.rowCount = rowCount
        open.roots.truncate(roots)
        open.lastSequence = lastSequence
      }
    }
  }
}

export function endSeconds(rows: Uint8Array, at: number): number {
  return (readU32(rows, at + 8) + rows[at + 12]!) * INTERVAL_SECONDS
}

/** In memory of its own: what `Buffer.concat` gives would keep a slab of 64 KB alive for as long as the batch waits for L1. */
function joined(roots: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(roots.length * ROOT_BYTES)
  for (const [k, root] of roots.entries()) bytes.set(root, k * ROOT_BYTES)
  return bytes
}
