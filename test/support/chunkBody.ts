import { aggregateBls, parseBlsSignature } from '../../protocol/bls.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { Scheme, type SchemeLayout } from '../../protocol/scheme.ts'

const writers: Record<Scheme, (rows: readonly Uint8Array[]) => Uint8Array> = {
  [Scheme.P256]: (rows) => Buffer.concat(rows),
  [Scheme.BLS]: (rows) => {
    const signatures = rows.map((row) => parseBlsSignature(row.subarray(RECORD_BYTES))!)
    return Buffer.concat([aggregateBls(signatures), ...rows.map((row) => row.subarray(0, RECORD_BYTES))])
  },
}

/** The body of a chunk of whole, genuinely signed rows, not padded. Of a BLS chunk's rows, every signature is in the sum. */
export function chunkBody(layout: SchemeLayout, rows: readonly Uint8Array[]): Uint8Array {
  return writers[layout.scheme](rows)
}
