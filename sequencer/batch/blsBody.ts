import { Signature } from '@chainsafe/blst'
import { aggregateBls } from '../../protocol/bls.ts'
import { BLS_SIGNATURE_BYTES, RECORD_BYTES } from '../../protocol/limits.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'

const { rowBytes, chunkRecords, headBytes } = BLS_LAYOUT

export interface BlsRows {
  /** record 24 ‖ signature 192 each; every signature was verified when it came. */
  readonly rows: Uint8Array
  /** A byte a row: 1 when its record passes check 1 by the batch's date, and its signature is part of the sum. */
  readonly summed: Uint8Array
  /** 192 bytes a chunk, in L1's order, of a batch whose rows came back from L1 without their signatures. */
  readonly aggregates?: Uint8Array | undefined
}

/** aggregate 192 ‖ up to 64 × record 24 of chunk k. ~3 µs a signature. */
export function blsBody({ rows, summed, aggregates }: BlsRows, k: number): Uint8Array {
  const first = k * chunkRecords
  const count = Math.min(chunkRecords, rows.length / rowBytes - first)
  const body = new Uint8Array(headBytes + count * RECORD_BYTES)
  const signatures: Signature[] = []
  for (let i = 0; i < count; i++) {
    const at = (first + i) * rowBytes
    body.set(rows.subarray(at, at + RECORD_BYTES), headBytes + i * RECORD_BYTES)
    if (aggregates !== undefined || summed[first + i] !== 1) continue
    // Its subgroup was checked with the signature itself.
    signatures.push(Signature.fromBytes(rows.subarray(at + RECORD_BYTES, at + rowBytes), false))
  }
  body.set(aggregates?.subarray(k * BLS_SIGNATURE_BYTES, (k + 1) * BLS_SIGNATURE_BYTES) ?? aggregateBls(signatures))
  return body
}
