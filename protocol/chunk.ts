import { ROOT_BYTES } from './laneState.ts'
import { BLOB_CHUNKS, CELL_ELEMENTS } from './limits.ts'
import type { SchemeLayout } from './scheme.ts'

// A chunk is preRoot 31 ‖ body, docs/protocol.md §7 and §15.3. In a blob it is one EIP-7594 cell: element 0 is 0x00 ‖ preRoot,
// elements 1…63 hold 31 bytes of the body each. The body by the lane's scheme:
//
//   P-256   22 × (record 24 ‖ signature 64)
//   BLS     aggregate 192 ‖ 64 × record 24

export const ELEMENT_BYTES = 32
export const CELL_BYTES = CELL_ELEMENTS * ELEMENT_BYTES
export const BLOB_BYTES = BLOB_CHUNKS * CELL_BYTES

export interface Chunk {
  /** 31 bytes. */
  readonly preRoot: Uint8Array
  /** As long as the records of a full chunk take (`SchemeLayout.bodyBytes`), zero-padded. */
  readonly body: Uint8Array
}

/** Where the records that a chunk settles lie: in its body, or in the entries of L1's queue for a forced one. */
export interface RecordRun {
  readonly bytes: Uint8Array
  /** Of the first record. */
  readonly at: number
  readonly stride: number
  readonly count: number
}

/** A chunk and the records that it settles. */
export interface SettlingChunk extends Chunk {
  readonly records: RecordRun
  /** Its records are entries of L1's queue: `Settlement.settleForced` is for them. */
  readonly isForced: boolean
}

export function chunksFor(layout: SchemeLayout, records: number): number {
  return Math.ceil(records / layout.chunkRecords)
}

/** The records of a chunk's own body, 22 or 64; a body that is short is read as if zero-padded. */
export function bodyRecords(layout: SchemeLayout, body: Uint8Array): RecordRun {
  const { bodyBytes, headBytes, recordStride, chunkRecords } = layout
  let bytes = body
  if (body.length < bodyBytes) {
    bytes = new Uint8Array(bodyBytes)
    bytes.set(body)
  }
  return { bytes, at: headBytes, stride: recordStride, count: chunkRecords }
}

/** The first chunks settle the runs of `forced` (`forcedRuns`), the others what they hold themselves. */
export function settlingChunks(
  layout: SchemeLayout,
  chunks: readonly Chunk[],
  forced: readonly RecordRun[] = [],
): SettlingChunk[] {
  return chunks.map(({ preRoot, body }, k) => {
    const run = forced[k]
    return { preRoot, body, records: run ?? bodyRecords(layout, body), isForced: run !== undefined }
  })
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
export function readCell(layout: SchemeLayout, cell: Uint8Array): Chunk {
  const body = new Uint8Array((CELL_ELEMENTS - 1) * ROOT_BYTES)
  for (let element = 1; element < CELL_ELEMENTS; element++) {
    const at = element * ELEMENT_BYTES + 1
    body.set(cell.subarray(at, at + ROOT_BYTES), (element - 1) * ROOT_BYTES)
  }
  return { preRoot: cell.slice(1, ELEMENT_BYTES), body: body.slice(0, layout.bodyBytes) }
}

/** Reads a calldata chunk of 31 to 1 967 bytes (BLS: 1 759); what is missing is zero. */
export function readCalldataChunk(layout: SchemeLayout, bytes: Uint8Array): Chunk {
  if (bytes.length < ROOT_BYTES || bytes.length > layout.chunkBytes) {
    throw new RangeError(`a chunk takes ${ROOT_BYTES} to ${layout.chunkBytes} bytes, not ${bytes.length}`)
  }
  const body = new Uint8Array(layout.bodyBytes)
  body.set(bytes.subarray(ROOT_BYTES))
  return { preRoot: bytes.slice(0, ROOT_BYTES), body }
}
