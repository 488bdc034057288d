import type { SettlingChunk } from '../../protocol/chunk.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import type { LaneState } from '../../protocol/laneState.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { compareRoots, type Verdict } from '../decide/verdict.ts'

/** A batch as derived from L1, with its signatures judged. */
export interface JudgedBatch {
  readonly asOf: number
  readonly chunks: readonly SettlingChunk[]
  /** 31 bytes: what the header claims after the last chunk. */
  readonly postRoot: Uint8Array
  /** Of `judgeSignatures`. */
  readonly signatures: Uint8Array
}

export interface Counts {
  /** Non-empty ones. */
  readonly records: number
  readonly settled: number
}

/** `records` and `settled` count up to and with the first wrong chunk. */
export interface ReplayResult extends Counts {
  readonly verdict: Verdict
}

/**
 * Executes a batch on the state of its parent and compares the root after every chunk with the one that the batch claims: element 0
 * of the next chunk, or the header's postRoot after the last (docs/protocol.md §7). A batch that is right throughout leaves the
 * state after it; one that is not leaves the state before it. `state` notes roots for nobody else meanwhile.
 */
export function replayChunks(state: LaneState, rules: LaneRules, batch: JudgedBatch): ReplayResult {
  state.takeRoots() // of nobody
  state.beginUndo()
  let isRight = false
  try {
    const result = replay(state, rules, batch)
    isRight = result.verdict.kind === 'right'
    return result
  } finally {
    if (isRight) state.keep()
    else state.rollBack()
  }
}

/** Executes all chunks before it looks at a root, since those of many cost half together. What a batch claims changes nothing in its execution. */
function replay(state: LaneState, rules: LaneRules, batch: JudgedBatch): ReplayResult {
  const settlement = new Settlement(state, rules, batch.asOf)
  const executed: Counts[] = []
  let failure: { readonly fault: unknown } | undefined
  try {
    for (const chunk of batch.chunks.keys()) {
      executed.push(settleChunk(settlement, rules, batch, chunk))
      state.noteRoot()
    }
  } catch (fault) {
    failure = { fault }
  }
  let records = 0
  let settled = 0
  for (const [chunk, root] of state.takeRoots().entries()) {
    records += executed[chunk]!.records
    settled += executed[chunk]!.settled
    const claimed = batch.chunks[chunk + 1]?.preRoot ?? batch.postRoot
    const verdict = compareRoots(chunk, root, claimed)
    if (verdict.kind === 'wrong') return { verdict, records, settled }
  }
  // A chunk that cannot be executed hides no wrong root before it.
  if (failure !== undefined) throw failure.fault
  return { verdict: { kind: 'right' }, records, settled }
}

/** Looks at the state before chunk `chunk` of a batch whose parent's state is given, and puts it back. */
export function atChunk<T>(
  parent: LaneState,
  rules: LaneRules,
  batch: JudgedBatch,
  { chunk, look }: { chunk: number; look: (state: LaneState) => T },
): T {
  const settlement = new Settlement(parent, rules, batch.asOf)
  parent.beginUndo()
  try {
    for (let before = 0; before < chunk; before++) settleChunk(settlement, rules, batch, before)
    return look(parent)
  } finally {
    parent.rollBack()
  }
}

function settleChunk(settlement: Settlement, rules: LaneRules, batch: JudgedBatch, chunk: number): Counts {
  const { records: run, isForced } = batch.chunks[chunk]!
  const { bytes, at: first, stride, count } = run
  const firstPlace = chunk * rules.layout.chunkRecords
  let records = 0
  let settled = 0
  for (let i = 0; i < count; i++) {
    const at = first + i * stride
    const valid = batch.signatures[firstPlace + i] === 1
    const outcome = isForced ? settlement.settleForced(bytes, at) : settlement.settle(bytes, at, valid)
    if (outcome !== Outcome.EMPTY) records++
    if (outcome === Outcome.SETTLED) settled++
  }
  return { records, settled }
}
