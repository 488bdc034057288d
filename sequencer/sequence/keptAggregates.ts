import { chunkSignatures } from '../../protocol/chunkSignatures.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { Settlement } from '../../protocol/settlement.ts'

/** Rows of a BLS batch as L1 has them: records, and one sum of signatures a chunk. */
export interface KeptRows {
  readonly rows: Uint8Array
  readonly rowCount: number
  /** 192 bytes a chunk. */
  readonly aggregates: Uint8Array
  /** A sum is over the records that pass check 1 by this date: with another date it may be over others, and mean something else. */
  readonly asOf: number
}

/** Bit a row: the signature verifies, because its chunk's sum does. Half a millisecond a record. */
export function judgeAggregates(
  lane: { readonly rules: LaneRules; readonly domain: Uint8Array },
  { rows, rowCount, aggregates, asOf }: KeptRows,
): Uint8Array {
  const { chunkRecords, headBytes, rowBytes: stride } = lane.rules.layout
  const verdicts = new Uint8Array(Math.ceil(rowCount / 8))
  const signatures = chunkSignatures(lane)
  // Check 1 reads the rules alone: the state is not looked at.
  const settlement = new Settlement(new LaneState(), lane.rules, asOf)
  for (let first = 0, k = 0; first < rowCount; first += chunkRecords, k++) {
    const count = Math.min(chunkRecords, rowCount - first)
    const body = aggregates.subarray(k * headBytes, (k + 1) * headBytes)
    const records = { bytes: rows, at: first * stride, stride, count }
    const judged = signatures.judge(settlement, { preRoot: new Uint8Array(), body, records, isForced: false })
    for (let i = 0; i < count; i++) if (judged[i] === 1) verdicts[(first + i) >>> 3]! |= 1 << ((first + i) & 7)
  }
  return verdicts
}
