import { type Chunk, CELL_BYTES, P256_CHUNK_BYTES, readCalldataChunk, readCell } from '../../protocol/chunk.ts'
import { BLOB_CHUNKS } from '../../protocol/limits.ts'

/** What a batch posted, authenticated by the header's data words. */
export type BatchData =
  | { readonly kind: 'blob'; readonly blobs: readonly Uint8Array[] }
  /** The bytes of every chunk. */
  | { readonly kind: 'calldata'; readonly chunks: readonly Uint8Array[] }

/** Total: whatever was posted, there are `chunkCount` chunks in it. */
export function readChunks(data: BatchData, chunkCount: number): Chunk[] {
  return Array.from({ length: chunkCount }, (_, chunk) => {
    if (data.kind === 'calldata') return readCalldataChunk(data.chunks[chunk]!)
    const at = (chunk % BLOB_CHUNKS) * CELL_BYTES
    return readCell(data.blobs[Math.floor(chunk / BLOB_CHUNKS)]!.subarray(at, at + CELL_BYTES))
  })
}

/** Cuts the calldata of `submitBatch` as the rollup does: every chunk of full length but the last (docs/protocol.md §15.3). */
export function cutCalldata(data: Uint8Array, chunkCount: number): Uint8Array[] {
  return Array.from({ length: chunkCount }, (_, chunk) => {
    const at = chunk * P256_CHUNK_BYTES
    return data.subarray(at, chunk + 1 === chunkCount ? data.length : at + P256_CHUNK_BYTES)
  })
}
