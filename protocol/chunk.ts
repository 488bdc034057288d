import { ROOT_BYTES } from './laneState.ts'
import { BLOB_CHUNKS, CELL_ELEMENTS, P256_CHUNK_RECORDS } from './limits.ts'
import { SIGNED_RECORD_BYTES } from './record.ts'

// A P-256 chunk: preRoot 31 ‖ 22 × (record 24 ‖ signature 64), docs/protocol.md §7 and §15.3. In a blob it is one EIP-7594 cell:
// element 0 is 0x00 ‖ preRoot, elements 1…63 hold 31 bytes of the body each.

export const ELEMENT_BYTES = 32
export const CELL_BYTES = CELL_ELEMENTS * ELEMENT_BYTES
export const BLOB_BYTES = BLOB_CHUNKS * CELL_BYTES
export const P256_CHUNK_BODY_BYTES = P256_CHUNK_RECORDS * SIGNED_RECORD_BYTES
/** Stride of chunks in calldata. */
export const P256_CHUNK_BYTES = ROOT_BYTES + P256_CHUNK_BODY_BYTES
export const RECORDS_PER_BLOB = BLOB_CHUNKS * P256_CHUNK_RECORDS

export interface Chunk {
  /** 31 bytes. */
  readonly preRoot: Uint8Array
  /** 22 signed records, zero-padded. */
  readonly body: Uint8Array
}

export function chunksFor(records: number): number {
  return Math.ceil(records / P256_CHUNK_RECORDS)
}

/** Writes a chunk into cell `cell` of a blob. `body` may be short: the rest stays zero. */
export function writeCell(blob: Uint8Array, cell: number, preRoot: Uint8Array, body: Uint8Array): void {
  const at = cell * CELL_BYTES
  blob.set(preRoot, at + 1)
  for (let taken = 0, element = 1; taken < body.length; taken += ROOT_BYTES, element++) {
    blob.set(body.subarray(taken, taken + ROOT_BYTES), at + element * ELEMENT_BYTES + 1)
  }
}

/** Reads a cell of 64 × 32 bytes. Total: whatever the bytes, there is a chunk; top bytes are ignored. */
export function readCell(cell: Uint8Array): Chunk {
  const body = new Uint8Array((CELL_ELEMENTS - 1) * ROOT_BYTES)
  for (let element = 1; element < CELL_ELEMENTS; element++) {
    const at = element * ELEMENT_BYTES + 1
    body.set(cell.subarray(at, at + ROOT_BYTES), (element - 1) * ROOT_BYTES)
  }
  return { preRoot: cell.slice(1, ELEMENT_BYTES), body: body.slice(0, P256_CHUNK_BODY_BYTES) }
}

/** Reads a calldata chunk of 31 to 1 967 bytes; what is missing is zero. */
export function readCalldataChunk(bytes: Uint8Array): Chunk {
  if (bytes.length < ROOT_BYTES || bytes.length > P256_CHUNK_BYTES) {
    throw new RangeError(`a chunk takes ${ROOT_BYTES} to ${P256_CHUNK_BYTES} bytes, not ${bytes.length}`)
  }
  const body = new Uint8Array(P256_CHUNK_BODY_BYTES)
  body.set(bytes.subarray(ROOT_BYTES))
  return { preRoot: bytes.slice(0, ROOT_BYTES), body }
}
