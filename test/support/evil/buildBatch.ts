import { bodyRecords, type Chunk, type SettlingChunk } from '../../../protocol/chunk.ts'
import { chunkSignatures } from '../../../protocol/chunkSignatures.ts'
import { type ForcedEntry, forcedRuns } from '../../../protocol/forced.ts'
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
  /** Settles these in place of the entries that L1's queue holds, in a forced chunk. */
  readonly entries?: readonly ForcedEntry[]
  /** Changes the state after the chunk. */
  readonly doctor?: (state: LaneState, body: Uint8Array) => void
  /** States another root after the chunk than the state has. */
  readonly claim?: (root: Uint8Array) => Uint8Array
}

export interface BuiltBatch {
  readonly asOf: number
  /** The forced ones first, with empty bodies. */
  readonly chunks: readonly Chunk[]
  /** Taken of the forced queue. */
  readonly entries: readonly ForcedEntry[]
  readonly postRoot: Uint8Array
  readonly settled: number
}

export interface BatchParts {
  readonly asOf: number
  /** Of the chunks that are not forced. */
  readonly bodies: readonly Uint8Array[]
  readonly domain: Uint8Array
  readonly lie?: Lie
  /** The next ones of the forced queue. */
  readonly entries?: readonly ForcedEntry[]
}

/** Executes chunks by itself, one record after another, and so says what a sequencer would post. Moves `state`. */
export function buildBatch(state: LaneState, rules: LaneRules, parts: BatchParts): BuiltBatch {
  const { asOf, bodies, domain, lie, entries = [] } = parts
  const { chunkRecords } = rules.layout
  const runs = forcedRuns(entries, chunkRecords)
  const chunks: Chunk[] = []
  let root = state.root()
  let settled = 0
  for (const [k, body] of [...runs.map(() => new Uint8Array()), ...bodies].entries()) {
    chunks.push({ preRoot: root, body })
    const isLie = lie?.chunk === k
    const used = (isLie ? lie.rules : undefined) ?? rules
    const settlement = new Settlement(state, used, asOf)
    const run = isLie && lie.entries !== undefined ? forcedRuns(lie.entries, chunkRecords)[0] : runs[k]
    const isForced = run !== undefined
    const records = run ?? bodyRecords(used.layout, body)
    const chunk: SettlingChunk = { preRoot: root, body, records, isForced }
    const verdicts = chunkSignatures({ rules: used, domain }).judge(settlement, chunk)
    for (const [i, verdict] of verdicts.entries()) {
      const valid = (isLie ? lie.believes : undefined) ?? verdict === 1
      const at = records.at + i * records.stride
      const outcome = isForced
        ? settlement.settleForced(records.bytes, at)
        : settlement.settle(records.bytes, at, valid)
      if (outcome === Outcome.SETTLED) settled++
    }
    if (isLie) lie.doctor?.(state, body)
    root = state.root()
    if (isLie && lie.claim !== undefined) root = lie.claim(root)
  }
  return { asOf, chunks, entries, postRoot: root, settled }
}
