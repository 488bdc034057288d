import { type Hex, keccak256 } from 'viem'
import { BLOB_BYTES, chunksFor, writeCell } from '../../protocol/chunk.ts'
import { ROOT_BYTES } from '../../protocol/laneState.ts'
import { BLOB_CHUNKS } from '../../protocol/limits.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'

export interface BatchRows {
  /** Whole signed records, 22 a chunk. */
  readonly rows: Uint8Array
  /** Root before each chunk, 31 bytes. */
  readonly preRoots: readonly Uint8Array[]
  /** Chunks before those of the rows, which hold their preRoot alone. Default 0. */
  readonly forcedChunks?: number
}

/** The blobs of a batch: chunk k is cell k mod 64 of blob ⌊k / 64⌋. */
export function writeBlobs(batch: BatchRows): Uint8Array[] {
  const chunkCount = checkedChunkCount(batch)
  const blobs = Array.from({ length: Math.ceil(chunkCount / BLOB_CHUNKS) }, () => new Uint8Array(BLOB_BYTES))
  for (let k = 0; k < chunkCount; k++) {
    writeCell(blobs[Math.floor(k / BLOB_CHUNKS)]!, k % BLOB_CHUNKS, batch.preRoots[k]!, bodyOf(batch, k))
  }
  return blobs
}

/** A batch as calldata, chunks one after another, the last cut to its records; and keccak256 of each. */
export function writeCalldata(batch: BatchRows): { data: Uint8Array; dataWords: Hex[] } {
  const chunkCount = checkedChunkCount(batch)
  const data = new Uint8Array(chunkCount * ROOT_BYTES + batch.rows.length)
  const dataWords: Hex[] = []
  let at = 0
  for (let k = 0; k < chunkCount; k++) {
    const body = bodyOf(batch, k)
    data.set(batch.preRoots[k]!, at)
    data.set(body, at + ROOT_BYTES)
    const end = at + ROOT_BYTES + body.length
    dataWords.push(keccak256(data.subarray(at, end)))
    at = end
  }
  return { data, dataWords }
}

/** Bytes of calldata that so many rows take at most. */
export function calldataBytes(rowCount: number): number {
  return chunksFor(P256_LAYOUT, rowCount) * ROOT_BYTES + rowCount * SIGNED_RECORD_BYTES
}

function bodyOf({ rows, forcedChunks = 0 }: BatchRows, k: number): Uint8Array {
  const own = k - forcedChunks
  return own < 0 ? rows.subarray(0, 0) : rows.subarray(own * P256_LAYOUT.bodyBytes, (own + 1) * P256_LAYOUT.bodyBytes)
}

function checkedChunkCount({ rows, preRoots, forcedChunks = 0 }: BatchRows): number {
  // A batch that holds nothing is a chunk of padding.
  const chunkCount = Math.max(1, forcedChunks + chunksFor(P256_LAYOUT, rows.length / SIGNED_RECORD_BYTES))
  if (rows.length % SIGNED_RECORD_BYTES !== 0 || preRoots.length !== chunkCount) {
    throw new RangeError(`${rows.length} bytes of records and ${preRoots.length} pre-roots do not make a batch`)
  }
  return chunkCount
}
