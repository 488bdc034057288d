import type { Hex } from 'viem'
import { toHex } from '../bytes.ts'
import type { BatchData } from './batchData.ts'
import { blobToCommitment, cellsAndProofs, decompressG1, pointProof } from '../kzg.ts'
import { ELEMENT_BYTES } from '../../protocol/chunk.ts'
import { calldataOpening, type Opening } from '../../protocol/fraudProof.ts'
import { BLOB_CHUNKS, CELL_ELEMENTS } from '../../protocol/limits.ts'

/** Authenticates chunk `chunk` and the root claimed after it (docs/protocol.md §15.4). With blobs ~0.6 s of CPU. */
export async function openChunk(data: BatchData, chunk: number): Promise<Opening> {
  const { raw, blobs } = data
  const next = raw[chunk + 1]
  if (blobs.length === 0) return calldataOpening(toHex(raw[chunk]!), next === undefined ? undefined : toHex(next))
  const blob = blobs[Math.floor(chunk / BLOB_CHUNKS)]!
  const { proofs } = await cellsAndProofs(blob)
  return {
    chunk: toHex(raw[chunk]!),
    commitment: toHex(decompressG1(await blobToCommitment(blob))),
    cellProof: toHex(decompressG1(proofs[chunk % BLOB_CHUNKS]!)),
    next: next === undefined ? '0x' : await openPreRoot(blobs[Math.floor((chunk + 1) / BLOB_CHUNKS)]!, chunk + 1),
  }
}

/** element 32 ‖ its blob's commitment 48 ‖ point proof 48, of the element in which `chunk` states its preRoot. */
async function openPreRoot(blob: Uint8Array, chunk: number): Promise<Hex> {
  const element = (chunk % BLOB_CHUNKS) * CELL_ELEMENTS
  const { proof } = await pointProof(blob, element)
  const at = element * ELEMENT_BYTES
  return toHex(Buffer.concat([blob.subarray(at, at + ELEMENT_BYTES), await blobToCommitment(blob), proof]))
}
