import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hex } from 'viem'
import { BLOB_BYTES } from '../../protocol/chunk.ts'
import { writeAtomically } from '../../runtime/atomicFile.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { storeFailed } from '../../runtime/storeFailed.ts'
import { sameBytes } from '../bytes.ts'

/** Blobs kept past the 18 days of the beacon chain: a prover keeps what it checks. */
export interface BlobArchive {
  /** The caller has checked that the blob has this versioned hash. @throws BackfeedError STORE_FAILED, retryable: it is not kept */
  put(versionedHash: Hex, blob: Uint8Array): Promise<void>
  /** Undefined when it is not there; DATA_CORRUPTED when it is not what was put. */
  get(versionedHash: Hex): Promise<Uint8Array | undefined>
}

// A file a blob, `xx/<versioned hash>.blob`: blob 131 072 ‖ SHA-256 of versioned hash ‖ blob. Spread over 256 folders by the last byte.

const DIGEST_BYTES = 32

export function openBlobArchive(directory: string): BlobArchive {
  const pathOf = (versionedHash: Hex): string => {
    if (!/^0x[0-9a-f]{64}$/.test(versionedHash)) throw new RangeError(`${versionedHash} is not a versioned hash`)
    return join(directory, versionedHash.slice(-2), `${versionedHash.slice(2)}.blob`)
  }
  return {
    put: async (versionedHash, blob) => {
      if (blob.length !== BLOB_BYTES) throw new RangeError(`a blob has ${BLOB_BYTES} bytes, not ${blob.length}`)
      const path = pathOf(versionedHash)
      try {
        await writeAtomically(path, Buffer.concat([blob, digest(versionedHash, blob)]))
      } catch (cause) {
        throw storeFailed(`blob ${path} cannot be kept`, cause)
      }
    },
    get: async (versionedHash) => {
      const path = pathOf(versionedHash)
      let bytes: Buffer
      try {
        bytes = await readFile(path)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
      const blob = bytes.subarray(0, BLOB_BYTES)
      const stored = bytes.subarray(BLOB_BYTES)
      if (stored.length !== DIGEST_BYTES || !sameBytes(stored, digest(versionedHash, blob))) {
        throw new BackfeedError('DATA_CORRUPTED', `the archived blob ${path} is damaged: remove it to fetch it again`, {
          exitCode: ExitCode.dataCorrupted,
          details: { path },
        })
      }
      return new Uint8Array(blob)
    },
  }
}

function digest(versionedHash: Hex, blob: Uint8Array): Uint8Array {
  return createHash('sha256').update(versionedHash).update(blob).digest()
}
