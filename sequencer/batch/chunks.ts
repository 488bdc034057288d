import { type Hex, keccak256 } from 'viem'
import { BLOB_BYTES, chunksFor, writeCell } from '../../protocol/chunk.ts'
import { ROOT_BYTES } from '../../protocol/laneState.ts'
import { BLOB_CHUNKS } from '../../protocol/limits.ts'
import { Scheme, type SchemeLayout } from '../../protocol/scheme.ts'
import { rootAt } from '../closedBatch.ts'
import { type BlsRows, blsBody } from './blsBody.ts'

/** What a batch is made of. It travels to the worker: nothing in it but bytes and numbers. */
export interface BatchRows extends BlsRows {
  readonly layout: SchemeLayout
  /** Root before each chunk, 31 bytes, one after another. */
  readonly preRoots: Uint8Array
  /** Chunks before those of the rows, which hold their preRoot alone. Default 0. */
  readonly forcedChunks?: number
}

/** The blobs of a batch: chunk k is cell k mod 64 of blob ⌊k / 64⌋. */
export function writeBlobs(batch: BatchRows): Uint8Array[] {
  const chunkCount = checkedChunkCount(batch)
  const blobs = Array.from({ length: Math.ceil(chunkCount / BLOB_CHUNKS) }, () => new Uint8Array(BLOB_BYTES))
  for (let k = 0; k < chunkCount; k++) {
    writeCell(blobs[Math.floor(k / BLOB_CHUNKS)]!, k % BLOB_CHUNKS, rootAt(batch.preRoots, k), bodyOf(batch, k))
  }
  return blobs
}

/** A batch as calldata, chunks one after another, the last cut to its records; and keccak256 of each. */
export function writeCalldata(batch: BatchRows): { data: Uint8Array; dataWords: Hex[] } {
  const chunkCount = checkedChunkCount(batch)
  const chunks = Array.from({ length: chunkCount }, (_, k) =>
    Buffer.concat([rootAt(batch.preRoots, k), bodyOf(batch, k)]),
  )
  return { data: new Uint8Array(Buffer.concat(chunks)), dataWords: chunks.map((chunk) => keccak256(chunk)) }
}

/** Of chunk k: cut to what its records take, so nothing for a forced one. */
export function bodyOf(batch: BatchRows, k: number): Uint8Array {
  const { layout, rows, forcedChunks = 0 } = batch
  const own = k - forcedChunks
  if (own < 0 || rows.length === 0) return rows.subarray(0, 0)
  if (layout.scheme === Scheme.BLS) return blsBody(batch, own)
  return rows.subarray(own * layout.bodyBytes, (own + 1) * layout.bodyBytes)
}

function checkedChunkCount({ layout, rows, preRoots, forcedChunks = 0 }: BatchRows): number {
  // A batch that holds nothing is a chunk of padding.
  const chunkCount = Math.max(1, forcedChunks + chunksFor(layout, rows.length / layout.rowBytes))
  if (rows.length % layout.rowBytes !== 0 || preRoots.length !== chunkCount * ROOT_BYTES) {
    throw new RangeError(
      `${rows.length} bytes of records and ${preRoots.length} bytes of pre-roots do not make a batch`,
    )
  }
  return chunkCount
}
