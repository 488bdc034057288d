import { DataKind } from '../../protocol/batchHeader.ts'
import { CELL_BYTES, type Chunk, readCalldataChunk, readCell } from '../../protocol/chunk.ts'
import { BLOB_CHUNKS } from '../../protocol/limits.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { L1Client } from '../client.ts'
import type { Contracts } from '../contracts.ts'
import { fetchCalldataChunks } from './calldata.ts'
import { type BlobSources, fetchBlobs } from './fetchBlobs.ts'
import type { DerivedBatch } from './laneHistory.ts'
import type { SchemeLayout } from '../../protocol/scheme.ts'

/** What a batch posted, authenticated against its data words. `raw[k]` is what a fraud proof opens: the cell, or the chunk's bytes. */
export interface BatchData {
  readonly chunks: readonly Chunk[]
  readonly raw: readonly Uint8Array[]
  /** Empty for calldata. */
  readonly blobs: readonly Uint8Array[]
}

export interface BatchDataSettings {
  client: L1Client
  contracts: Pick<Contracts, 'rollup'>
  blobs: BlobSources
}

/** `layout`: of the lane's scheme. */
export async function fetchBatchData(
  settings: BatchDataSettings,
  batch: DerivedBatch,
  layout: SchemeLayout,
  signal?: AbortSignal,
): Promise<BatchData> {
  const { header } = batch
  switch (header.dataKind) {
    case DataKind.BLOB: {
      const block = { number: batch.place.blockNumber, timestamp: batch.submittedAt }
      const blobs = await fetchBlobs(settings.blobs, { versionedHashes: batch.dataWords, block }, signal)
      const raw = splitBlobs(blobs, header.chunkCount)
      return { chunks: raw.map((cell) => readCell(layout, cell)), raw, blobs }
    }
    case DataKind.CALLDATA: {
      const raw = await fetchCalldataChunks(settings.client, settings.contracts.rollup, { batch, layout })
      return { chunks: raw.map((bytes) => readCalldataChunk(layout, bytes)), raw, blobs: [] }
    }
    default:
      throw new BackfeedError('L1_INCONSISTENT', `batch ${header.index} has unknown data kind ${header.dataKind}`)
  }
}

/** The first `chunkCount` cells of a run of blobs. */
export function splitBlobs(blobs: readonly Uint8Array[], chunkCount: number): Uint8Array[] {
  if (blobs.length !== Math.ceil(chunkCount / BLOB_CHUNKS)) {
    throw new RangeError(`${blobs.length} blobs do not hold ${chunkCount} chunks`)
  }
  return Array.from({ length: chunkCount }, (_, k) => {
    const at = (k % BLOB_CHUNKS) * CELL_BYTES
    return blobs[Math.floor(k / BLOB_CHUNKS)]!.subarray(at, at + CELL_BYTES)
  })
}
