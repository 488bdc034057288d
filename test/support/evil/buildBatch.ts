import type { Chunk } from '../../../protocol/chunk.ts'
import { recordMessage } from '../../../protocol/domain.ts'
import type { LaneRules } from '../../../protocol/laneRules.ts'
import type { LaneState } from '../../../protocol/laneState.ts'
import { P256_CHUNK_RECORDS, RECORD_BYTES } from '../../../protocol/limits.ts'
import { Outcome } from '../../../protocol/outcome.ts'
import { parseP256Key, verifyP256 } from '../../../protocol/p256.ts'
import { isEmptyRecord, recordEvse, SIGNED_RECORD_BYTES } from '../../../protocol/record.ts'
import { Settlement } from '../../../protocol/settlement.ts'

/** What a lying sequencer does in one chunk. Everything after it is honest, on the state that the lie left. */
export interface Lie {
  readonly name: string
  readonly chunk: number
  /** Settles the chunk by these rules instead of L1's. */
  readonly rules?: LaneRules
  /** Takes every signature for valid. */
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
    for (let i = 0; i < P256_CHUNK_RECORDS; i++) {
      const at = i * SIGNED_RECORD_BYTES
      if (at + SIGNED_RECORD_BYTES > body.length) break
      const valid = (isLie && lie.believes === true) || isSigned(used, settlement, domain, body, at)
      if (settlement.settle(body, at, valid) === Outcome.SETTLED) settled++
    }
    if (isLie) lie.doctor?.(state, body)
    root = state.root()
    if (isLie && lie.claim !== undefined) root = lie.claim(root)
  }
  return { asOf, chunks, postRoot: root, settled }
}

function isSigned(rules: LaneRules, settlement: Settlement, domain: Uint8Array, body: Uint8Array, at: number): boolean {
  if (isEmptyRecord(body, at) || !settlement.knowsEvse(body, at)) return false
  const evse = recordEvse(body, at)
  const record = body.subarray(at, at + RECORD_BYTES)
  const message = recordMessage(domain, record, rules.evseLat(evse), rules.evseLon(evse))
  return verifyP256(
    parseP256Key(rules.evseKey(evse)),
    message,
    body.subarray(at + RECORD_BYTES, at + SIGNED_RECORD_BYTES),
  )
}
