import { createHash } from 'node:crypto'
import type { Hex } from 'viem'
import { z } from 'zod'
import { BLOB_BYTES } from '../../protocol/chunk.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { BlobSidecar } from '../blobTransaction.ts'
import { sameBytes } from '../bytes.ts'
import { CELL_PROOFS_PER_BLOB, COMMITMENT_BYTES, PROOF_BYTES, versionedHash } from '../kzg.ts'
import type { TxRecord } from './txRecord.ts'

// Values on disk: SHA-256 of key ‖ 0x00 ‖ payload, then the payload. A store that returns a flipped byte, or the value of another
// key, does so without an error of its own.
// Record: JSON, integers above 2^53 as decimal text. Sidecar: for each blob, blob ‖ commitment 48 ‖ cell proofs 128 × 48.

const DIGEST_BYTES = 32
const PROOFS_BYTES = CELL_PROOFS_PER_BLOB * PROOF_BYTES
const ENTRY_BYTES = BLOB_BYTES + COMMITMENT_BYTES + PROOFS_BYTES

export function seal(key: string, payload: Uint8Array): Uint8Array {
  return Buffer.concat([digest(key, payload), payload])
}

export function unseal(key: string, value: Uint8Array): Uint8Array {
  const payload = value.subarray(DIGEST_BYTES)
  if (value.length < DIGEST_BYTES || !sameBytes(value.subarray(0, DIGEST_BYTES), digest(key, payload))) {
    throw corrupted(`the stored value of ${key} fails its checksum`)
  }
  return payload
}

export function encodeRecord(record: TxRecord): Uint8Array {
  return Buffer.from(
    JSON.stringify(record, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  )
}

export function decodeRecord(bytes: Uint8Array): TxRecord {
  try {
    return recordSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')))
  } catch (cause) {
    throw corrupted('a stored transaction is not in the expected form', cause)
  }
}

export function encodeSidecar(sidecar: BlobSidecar): Uint8Array {
  const parts = sidecar.blobs.flatMap((blob, i) => [blob, sidecar.commitments[i]!, sidecar.cellProofs[i]!])
  return Buffer.concat(parts)
}

export function decodeSidecar(bytes: Uint8Array): BlobSidecar {
  if (bytes.length === 0 || bytes.length % ENTRY_BYTES !== 0) throw corrupted(`a sidecar of ${bytes.length} bytes`)
  const entries = Array.from({ length: bytes.length / ENTRY_BYTES }, (_, i) =>
    bytes.slice(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES),
  )
  const commitments = entries.map((entry) => entry.subarray(BLOB_BYTES, BLOB_BYTES + COMMITMENT_BYTES))
  return {
    blobs: entries.map((entry) => entry.subarray(0, BLOB_BYTES)),
    commitments,
    cellProofs: entries.map((entry) => entry.subarray(BLOB_BYTES + COMMITMENT_BYTES)),
    versionedHashes: commitments.map(versionedHash),
  }
}

const hex = z.custom<Hex>((value) => typeof value === 'string' && /^0x[0-9a-fA-F]*$/.test(value))
const wei = z
  .string()
  .regex(/^\d+$/)
  .transform((text) => BigInt(text))
const count = z.number().int().nonnegative()
const purpose = z.enum(['request', 'cancel'])
const inclusionSchema = z.strictObject({ hash: hex, blockNumber: wei, blockHash: hex, succeeded: z.boolean() })
const feesSchema = z.strictObject({ maxFeePerGas: wei, maxPriorityFeePerGas: wei, maxFeePerBlobGas: wei })
const recordSchema = z.strictObject({
  id: z.string(),
  label: z.string(),
  kind: z.enum(['plain', 'blob']),
  to: hex,
  data: hex,
  value: wei,
  gas: wei,
  createdAtMs: count,
  nonce: count,
  cancelled: z.boolean(),
  status: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('pending') }),
    z.strictObject({ kind: z.literal('mined'), inclusion: inclusionSchema }),
    z.strictObject({ kind: z.literal('final'), inclusion: inclusionSchema }),
  ]),
  attempts: z.array(z.strictObject({ hash: hex, nonce: count, purpose, fees: feesSchema, sentAtMs: count })),
})

function digest(key: string, payload: Uint8Array): Uint8Array {
  return createHash('sha256').update(`${key}\0`).update(payload).digest()
}

function corrupted(message: string, cause?: unknown): BackfeedError {
  return new BackfeedError('DATA_CORRUPTED', `transaction store: ${message}`, {
    exitCode: ExitCode.dataCorrupted,
    ...(cause === undefined ? {} : { cause }),
  })
}
