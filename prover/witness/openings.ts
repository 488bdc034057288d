import { toHex } from '../../l1/bytes.ts'
import { blobToCommitment, cellsAndProofs, decompressG1, pointProof } from '../../l1/kzg.ts'
import { CELL_BYTES } from '../../protocol/chunk.ts'
import { calldataOpening, type Opening } from '../../protocol/fraudProof.ts'
import { BLOB_CHUNKS, CELL_ELEMENTS } from '../../protocol/limits.ts'
import type { BatchData } from '../replay/batchData.ts'

/** Authenticates chunk `chunk` of `chunkCount` and the root claimed after it (docs/protocol.md §15.4). With blobs ~0.5 s of CPU. */
export async function openChunk(data: BatchData, chunk: number, chunkCount: number): Promise<Opening> {
  const next = chunk + 1 < chunkCount ? chunk + 1 : undefined
  if (data.kind === 'calldata') {
    return calldataOpening(toHex(data.chunks[chunk]!), next === undefined ? undefined : toHex(data.chunks[next]!))
  }
  const blob = data.blobs[Math.floor(chunk / BLOB_CHUNKS)]!
  const cell = chunk % BLOB_CHUNKS
  const { cells, proofs } = await cellsAndProofs(blob)
  return {
    chunk: toHex(cells[cell]!),
    commitment: toHex(decompressG1(await blobToCommitment(blob))),
    cellProof: toHex(decompressG1(proofs[cell]!)),
    next: next === undefined ? '0x' : await openPreRoot(data.blobs[Math.floor(next / BLOB_CHUNKS)]!, next % BLOB_CHUNKS),
  }
}

/** element 32 ‖ its blob's commitment 48 ‖ point proof 48, of element 0 of a cell. */
async function openPreRoot(blob: Uint8Array, cell: number): Promise<Opening['next']> {
  const element = cell * CELL_ELEMENTS
  const { proof } = await pointProof(blob, element)
  const commitment = await blobToCommitment(blob)
  return toHex(Buffer.concat([blob.subarray(cell * CELL_BYTES, cell * CELL_BYTES + 32), commitment, proof]))
}
