import { RECORD_BYTES } from '../../protocol/limits.ts'
import type { SchemeLayout } from '../../protocol/scheme.ts'

// Memory shared with the workers: slabs of rows, then one verdict byte a row. A task names a slab and how many rows; nothing is
// copied or cloned. The key travels in the row, so that workers need no registry.
//
//   row: record 24 | signature 64 or 192 | key 64 or 128 | lat i32 ‖ lon i32

export const ROW_SIGNATURE = RECORD_BYTES
export const PLACE_BYTES = 8

/** Where things lie in a slab's row. */
export interface RowShape {
  readonly signatureBytes: number
  readonly keyAt: number
  readonly keyBytes: number
  readonly placeAt: number
  readonly bytes: number
}

export function rowShape({ signatureBytes, rowBytes, keyBytes }: SchemeLayout): RowShape {
  const placeAt = rowBytes + keyBytes
  return { signatureBytes, keyAt: rowBytes, keyBytes, placeAt, bytes: placeAt + PLACE_BYTES }
}

export interface SlabShape {
  readonly slabs: number
  readonly rowsPerSlab: number
  readonly row: RowShape
}

export interface Slabs {
  readonly shape: SlabShape
  readonly memory: SharedArrayBuffer
  readonly rows: Uint8Array
  readonly verdicts: Uint8Array
}

export function allocateSlabs(shape: SlabShape): Slabs {
  return viewSlabs(new SharedArrayBuffer(shape.slabs * shape.rowsPerSlab * (shape.row.bytes + 1)), shape)
}

export function viewSlabs(memory: SharedArrayBuffer, shape: SlabShape): Slabs {
  const rowCount = shape.slabs * shape.rowsPerSlab
  return {
    shape,
    memory,
    rows: new Uint8Array(memory, 0, rowCount * shape.row.bytes),
    verdicts: new Uint8Array(memory, rowCount * shape.row.bytes, rowCount),
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

/** Piscina wraps what it was given: [its own data, ours]. */
export function workerSetupOf(data: unknown): WorkerSetup {
  return (Array.isArray(data) ? data[data.length - 1] : data) as WorkerSetup
}
