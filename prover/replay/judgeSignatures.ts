import type { SettlingChunk } from '../../protocol/chunk.ts'
import { placesWorthVerifying } from '../../protocol/chunkSignatures.ts'
import { RECORD_MESSAGE_BYTES, writeRecordMessage } from '../../protocol/domain.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { recordEvse } from '../../protocol/record.ts'
import { BLS_LAYOUT, P256_LAYOUT, Scheme } from '../../protocol/scheme.ts'
import { Settlement } from '../../protocol/settlement.ts'
import type { SignatureVerifier } from './signaturePool.ts'
import { AGGREGATE_HEAD_BYTES, AGGREGATE_ROW_BYTES, SLAB_ROW_BYTES } from './slabs.ts'

export interface SignatureWork {
  readonly chunks: readonly SettlingChunk[]
  readonly rules: LaneRules
  readonly asOf: number
  readonly domain: Uint8Array
  readonly verifier: SignatureVerifier
}

type Judge = (work: SignatureWork, settlement: Settlement) => Promise<Uint8Array>

const judges: Record<Scheme, Judge> = { [Scheme.P256]: judgeEach, [Scheme.BLS]: judgeAggregates }

/**
 * One byte a record place, 22 or 64 a chunk: 1 where the record passes check 1 and its signature verifies. Signatures do not depend
 * on the state, so those of a whole batch are verified together, before its records are settled.
 */
export async function judgeSignatures(work: SignatureWork): Promise<Uint8Array> {
  // Check 1 reads the rules alone: the state is not looked at.
  const settlement = new Settlement(new LaneState(), work.rules, work.asOf)
  return await judges[work.rules.layout.scheme](work, settlement)
}

async function judgeEach(work: SignatureWork, settlement: Settlement): Promise<Uint8Array> {
  const { chunks, rules, domain } = work
  const { chunkRecords, keyBytes } = P256_LAYOUT
  const signatureAt = keyBytes + RECORD_MESSAGE_BYTES
  const rowOf: number[] = []
  const slab = new Uint8Array(chunks.length * chunkRecords * SLAB_ROW_BYTES)
  for (const [c, chunk] of chunks.entries()) {
    const { bytes, at: first, stride } = chunk.records
    for (const place of placesWorthVerifying(settlement, chunk)) {
      const at = first + place * stride
      const row = rowOf.length * SLAB_ROW_BYTES
      rowOf.push(c * chunkRecords + place)
      writeKeyAndMessage(slab.subarray(row, row + signatureAt), { rules, domain, bytes, at })
      slab.set(bytes.subarray(at + RECORD_BYTES, at + stride), row + signatureAt)
    }
  }
  const verdicts = new Uint8Array(chunks.length * chunkRecords)
  if (rowOf.length === 0) return verdicts
  const valid = await work.verifier.verify(slab.subarray(0, rowOf.length * SLAB_ROW_BYTES))
  for (const [row, place] of rowOf.entries()) verdicts[place] = valid[row]!
  return verdicts
}

/** A chunk's records stand and fall together. */
async function judgeAggregates(work: SignatureWork, settlement: Settlement): Promise<Uint8Array> {
  const { chunks, rules, domain, verifier } = work
  const { chunkRecords } = BLS_LAYOUT
  const verdicts = new Uint8Array(chunks.length * chunkRecords)
  await Promise.all(
    chunks.map(async (chunk, c) => {
      const { bytes, at: first, stride } = chunk.records
      const places = placesWorthVerifying(settlement, chunk)
      if (places.length === 0) return
      const slab = new Uint8Array(AGGREGATE_HEAD_BYTES + places.length * AGGREGATE_ROW_BYTES)
      slab.set(chunk.body.subarray(0, AGGREGATE_HEAD_BYTES))
      for (const [row, place] of places.entries()) {
        const from = AGGREGATE_HEAD_BYTES + row * AGGREGATE_ROW_BYTES
        const into = slab.subarray(from, from + AGGREGATE_ROW_BYTES)
        writeKeyAndMessage(into, { rules, domain, bytes, at: first + place * stride })
      }
      if (await verifier.verifyAggregate(slab)) for (const place of places) verdicts[c * chunkRecords + place] = 1
    }),
  )
  return verdicts
}

function writeKeyAndMessage(
  into: Uint8Array,
  record: { rules: LaneRules; domain: Uint8Array; bytes: Uint8Array; at: number },
): void {
  const { rules, domain, bytes, at } = record
  const evse = recordEvse(bytes, at)
  const { keyBytes } = rules.layout
  into.set(rules.evseKey(evse))
  writeRecordMessage(into.subarray(keyBytes, keyBytes + RECORD_MESSAGE_BYTES), {
    domain,
    record: bytes,
    recordAt: at,
    position: rules.evsePosition(evse),
    positionAt: 0,
  })
}
