import { P256_SIGNATURE_BYTES, RECORD_BYTES } from '../../protocol/limits.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'

// Memory shared with the workers: slabs of rows, then one verdict byte a row. A task names a slab and how many rows; nothing is
// copied or cloned. The key travels in the row, so that workers need no registry.
//
//   row: record 24 | signature 64 | key x ‖ y 64 | lat i32 ‖ lon i32

export const ROW_SIGNATURE = RECORD_BYTES
export const ROW_KEY = SIGNED_RECORD_BYTES
export const ROW_PLACE = SIGNED_RECORD_BYTES + 64
export const ROW_BYTES = ROW_PLACE + 8
export const SIGNATURE_BYTES = P256_SIGNATURE_BYTES

export interface SlabShape {
  readonly slabs: number
  readonly rowsPerSlab: number
}

export interface Slabs {
  readonly shape: SlabShape
  readonly memory: SharedArrayBuffer
  readonly rows: Uint8Array
  readonly verdicts: Uint8Array
}

export function allocateSlabs(shape: SlabShape): Slabs {
  return viewSlabs(new SharedArrayBuffer(shape.slabs * shape.rowsPerSlab * (ROW_BYTES + 1)), shape)
}

export function viewSlabs(memory: SharedArrayBuffer, shape: SlabShape): Slabs {
  const rowCount = shape.slabs * shape.rowsPerSlab
  return {
    shape,
    memory,
    rows: new Uint8Array(memory, 0, rowCount * ROW_BYTES),
    verdicts: new Uint8Array(memory, rowCount * ROW_BYTES, rowCount),
  }
}

/** What a worker is started with. */
export interface WorkerSetup {
  readonly memory: SharedArrayBuffer
  readonly shape: SlabShape
  /** 32 bytes for each lane, by its number in tasks. */
  readonly domains: readonly Uint8Array[]
  /** Parsed keys that a worker keeps. */
  readonly maxKeys: number
}

export interface VerifyTask {
  readonly slab: number
  readonly count: number
  /** Index into the worker's domains. */
  readonly domain: number
}
