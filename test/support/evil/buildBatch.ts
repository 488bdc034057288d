import { bodyRecords, type Chunk } from '../../../protocol/chunk.ts'
import { chunkSignatures } from '../../../protocol/chunkSignatures.ts'
import type { LaneRules } from '../../../protocol/laneRules.ts'
import type { LaneState } from '../../../protocol/laneState.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { Settlement } from '../../../protocol/settlement.ts'

/** What a lying sequencer does in one chunk. Everything after it is honest, on the state that the lie left. */
export interface Lie {
  readonly name: string
  readonly chunk: number
  /** Settles the chunk by these rules instead of L1's. */
  readonly rules?: LaneRules
  /** Takes every signature for valid, or every one for bad. */
  readonly believes?: boolean
  /** Changes the state after the chunk. */
  readonly doctor?: (state: LaneState, body: Uint8Array) => void
  /** States another root after the chunk than the state has. */
  readonly claim?: (root: Uint8Array) => Uint8Array
}

export interface BuiltBatch {
  readonly asOf: number
  readonly chunks: readonly Chunk[]
  readonly postRoot: Uint8Array
  readonly settled: number
}

/** Executes chunks by itself, one record after another, and so says what a sequencer would post. Moves `state`. */
export function buildBatch(
  state: LaneState,
  rules: LaneRules,
  parts: { asOf: number; bodies: readonly Uint8Array[]; domain: Uint8Array; lie?: Lie },
): BuiltBatch {
  const { asOf, bodies, domain, lie } = parts
  const chunks: Chunk[] = []
  let root = state.root()
  let settled = 0
  for (const [k, body] of bodies.entries()) {
    chunks.push({ preRoot: root, body })
    const isLie = lie?.chunk === k
    const used = (isLie ? lie.rules : undefined) ?? rules
    const settlement = new Settlement(state, used, asOf)
    const records = bodyRecords(used.layout, body)
    const verdicts = chunkSignatures({ rules: used, domain }).judge(settlement, { preRoot: root, body, records })
    for (const [i, verdict] of verdicts.entries()) {
      const valid = (isLie ? lie.believes : undefined) ?? verdict === 1
      if (settlement.settle(records.bytes, records.at + i * records.stride, valid) === Outcome.SETTLED) settled++
    }
    if (isLie) lie.doctor?.(state, body)
    root = state.root()
    if (isLie && lie.claim !== undefined) root = lie.claim(root)
  }
  return { asOf, chunks, postRoot: root, settled }
}
