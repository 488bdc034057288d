import { readU32 } from '../../protocol/bigEndian.ts'
import { chunksFor } from '../../protocol/chunk.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { INTERVAL_SECONDS, P256_CHUNK_RECORDS } from '../../protocol/limits.ts'
import type { Outcome } from '../../protocol/outcome.ts'
import { Settlement } from '../../protocol/settlement.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'

export interface OpenBatch {
  readonly index: number
  readonly asOf: number
  readonly openedAt: number
  readonly openedAtMs: number
  readonly settlement: Settlement
  readonly firstPosition: number
  readonly firstSequence: number
  readonly preRoots: Uint8Array[]
  rowCount: number
  lastSequence: number
}

/** Where a lane stands: state, the batch being filled, the ones closed and not yet final. Changed by its writer alone. */
export class LaneBook {
  readonly lane: number
  readonly rules: LaneRules
  readonly state = new LaneState()
  open: OpenBatch | undefined
  /** Rows that a redating turned into no-ops, by position. */
  readonly noOps = new Map<number, Outcome>()
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

  begin(opening: Pick<OpenBatch, 'asOf' | 'openedAt' | 'openedAtMs' | 'firstSequence'>): OpenBatch {
    const { asOf, firstSequence } = opening
    this.open = {
      ...opening,
      index: this.lastIndex + 1,
      settlement: new Settlement(this.state, this.rules, asOf),
      firstPosition: this.state.position,
      preRoots: [this.lastRoot],
      rowCount: 0,
      lastSequence: firstSequence,
    }
    return this.open
  }

  /** A row of the open batch has been settled, or judged a no-op in a replay. */
  countRow(): void {
    const open = this.open!
    open.rowCount++
    if (open.rowCount % P256_CHUNK_RECORDS === 0) open.preRoots.push(this.state.root())
  }

  close(lastSequence: number, closedAtMs: number): ClosedBatch {
    const open = this.open!
    const chunkCount = chunksFor(P256_LAYOUT, open.rowCount)
    const postRoot = open.preRoots[chunkCount] ?? this.state.root()
    const batch: ClosedBatch = {
      lane: this.lane,
      index: open.index,
      asOf: open.asOf,
      preRoots: open.preRoots.slice(0, chunkCount),
      postRoot,
      rowCount: open.rowCount,
      firstPosition: open.firstPosition,
      firstSequence: open.firstSequence,
      lastSequence,
      closedAtMs,
    }
    this.closed.set(batch.index, batch)
    this.lastIndex = batch.index
    this.lastAsOf = batch.asOf
    this.lastRoot = postRoot
    this.open = undefined
    return batch
  }

  /** What a failed write must bring back. */
  mark(): () => void {
    const { open, lastIndex, lastAsOf, lastRoot } = this
    const rowCount = open?.rowCount ?? 0
    const roots = open?.preRoots.length ?? 0
    const lastSequence = open?.lastSequence ?? 0
    this.state.beginUndo()
    return () => {
      this.state.rollBack()
      for (let index = this.lastIndex; index > lastIndex; index--) this.closed.delete(index)
      this.lastIndex = lastIndex
      this.lastAsOf = lastAsOf
      this.lastRoot = lastRoot
      this.open = open
      if (open !== undefined) {
        open.rowCount = rowCount
        open.preRoots.length = roots
        open.lastSequence = lastSequence
      }
    }
  }
}

export function endSeconds(rows: Uint8Array, at: number): number {
  return (readU32(rows, at + 8) + rows[at + 12]!) * INTERVAL_SECONDS
}
