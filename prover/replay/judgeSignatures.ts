import type { Chunk } from '../../protocol/chunk.ts'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from '../../protocol/domain.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { P256_CHUNK_RECORDS, RECORD_BYTES } from '../../protocol/limits.ts'
import { isEmptyRecord, recordEvse, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { Settlement } from '../../protocol/settlement.ts'
import type { SignatureVerifier } from './signaturePool.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { SLAB_ROW_BYTES } from './signatureWorker.ts'

const EVSE_KEY_BYTES = P256_LAYOUT.keyBytes

/**
 * One byte a record place, 22 a chunk: 1 where the record passes check 1 and its signature verifies. Signatures do not depend on
 * the state, so those of a whole batch are verified together, before its records are settled.
 */
export async function judgeSignatures(input: {
  chunks: readonly Chunk[]
  rules: LaneRules
  asOf: number
  domain: Uint8Array
  verifier: SignatureVerifier
}): Promise<Uint8Array> {
  const { chunks, rules, domain } = input
  // Check 1 reads the rules alone: the state is not looked at.
  const settlement = new Settlement(new LaneState(), rules, input.asOf)
  const places: number[] = []
  const slab = new Uint8Array(chunks.length * P256_CHUNK_RECORDS * SLAB_ROW_BYTES)
  for (const [c, { body }] of chunks.entries()) {
    for (let i = 0; i < P256_CHUNK_RECORDS; i++) {
      const at = i * SIGNED_RECORD_BYTES
      if (isEmptyRecord(body, at) || !settlement.knowsEvse(body, at)) continue
      const evse = recordEvse(body, at)
      const row = places.length * SLAB_ROW_BYTES
      places.push(c * P256_CHUNK_RECORDS + i)
      slab.set(rules.evseKey(evse), row)
      writeRecordMessage(slab.subarray(row + EVSE_KEY_BYTES, row + EVSE_KEY_BYTES + RECORD_MESSAGE_BYTES), {
        domain,
        record: body,
        recordAt: at,
        position: rules.evsePosition(evse),
        positionAt: 0,
      })
      slab.set(body.subarray(at + RECORD_BYTES, at + SIGNED_RECORD_BYTES), row + EVSE_KEY_BYTES + RECORD_MESSAGE_BYTES)
    }
  }
  const verdicts = new Uint8Array(chunks.length * P256_CHUNK_RECORDS)
  if (places.length === 0) return verdicts
  const valid = await input.verifier.verify(slab.subarray(0, places.length * SLAB_ROW_BYTES))
  for (const [row, place] of places.entries()) verdicts[place] = valid[row]!
  return verdicts
}
