import type { Hex } from 'viem'
import { BLOB_BYTES } from '../../protocol/chunk.ts'
import { BackfeedError, describeError, isBackfeedError } from '../../runtime/errors.ts'
import { blobToCommitment, versionedHash } from '../kzg.ts'
import type { BlobRequest, BlobSource } from './beacon.ts'
import type { BlobArchive } from './blobArchive.ts'

export interface BlobSources {
  archive?: BlobArchive
  /** A blob was found and could not be kept: whoever checks batches goes on, and asks again next time. */
  onNotKept?: (error: BackfeedError) => void
  /** Asked in order until every blob is found. */
  sources: readonly BlobSource[]
}

/**
 * The blobs with these versioned hashes, in order. Nobody is believed: a blob counts only if its own commitment hashes to what L1
 * recorded. What comes from outside goes to the archive. BLOB_UNAVAILABLE (retryable) when a blob is nowhere.
 */
export async function fetchBlobs(from: BlobSources, request: BlobRequest, signal?: AbortSignal): Promise<Uint8Array[]> {
  const found = new Map<Hex, Uint8Array>()
  const troubles: string[] = []
  for (const hash of request.versionedHashes) {
    try {
      const blob = await from.archive?.get(hash)
      if (blob !== undefined) found.set(hash, blob)
    } catch (error) {
      // A damaged file is as good as none while others have the blob; putting it again mends it.
      if (!isBackfeedError(error, 'DATA_CORRUPTED')) throw error
      troubles.push(describeError(error))
    }
  }
  for (const source of from.sources) {
    const missing = request.versionedHashes.filter((hash) => !found.has(hash))
    if (missing.length === 0) break
    signal?.throwIfAborted()
    try {
      const blobs = await source.fetch({ ...request, versionedHashes: missing }, signal)
      for (const [hash, blob] of await identify(blobs, missing)) {
        found.set(hash, blob)
        await keep(from, hash, blob)
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (!(error instanceof BackfeedError)) throw error
      troubles.push(`${source.name}: ${describeError(error)}`)
    }
  }
  return request.versionedHashes.map((hash) => {
    const blob = found.get(hash)
    if (blob !== undefined) return blob
    throw new BackfeedError('BLOB_UNAVAILABLE', `nobody has blob ${hash} of block ${request.block.number}`, {
      retryable: true,
      details: { block: request.block.number, versionedHash: hash, troubles },
    })
  })
}

async function keep({ archive, onNotKept }: BlobSources, hash: Hex, blob: Uint8Array): Promise<void> {
  try {
    await archive?.put(hash, blob)
  } catch (error) {
    if (!isBackfeedError(error, 'STORE_FAILED')) throw error
    onNotKept?.(error)
  }
}

async function identify(blobs: readonly Uint8Array[], wanted: readonly Hex[]): Promise<Map<Hex, Uint8Array>> {
  const matched = new Map<Hex, Uint8Array>()
  for (const blob of blobs) {
    if (blob.length !== BLOB_BYTES) continue
    if (matched.size === new Set(wanted).size) break
    let hash: Hex
    try {
      hash = versionedHash(await blobToCommitment(blob))
    } catch (error) {
      if (isBackfeedError(error, 'KZG_FAILED')) continue // bytes that are no blob
      throw error
    }
    if (wanted.includes(hash)) matched.set(hash, blob)
  }
  return matched
}
