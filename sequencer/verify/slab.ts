import { RECORD_BYTES } from '../../protocol/limits.ts'
import type { SchemeLayout } from '../../protocol/scheme.ts'

// Memory shared with the workers: slabs of rows, then of each row's EVSE, then one verdict byte a row. A task names a slab and how many
// rows; nothing is copied or cloned. The key travels with the row, so that workers need no registry.
//
//   row: record 24 | signature 64 or 192
//   EVSE: key 64 or 128 | lat i32 ‖ lon i32

export const ROW_SIGNATURE = RECORD_BYTES
export const PLACE_BYTES = 8

/** What a row takes, and its EVSE: the key, then the place. */
export interface RowShape {
  readonly signatureBytes: number
  readonly bytes: number
  readonly keyBytes: number
  readonly evseBytes: number
}

export function rowShape({ signatureBytes, rowBytes, keyBytes }: SchemeLayout): RowShape {
  return { signatureBytes, bytes: rowBytes, keyBytes, evseBytes: keyBytes + PLACE_BYTES }
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
  readonly evses: Uint8Array
  readonly verdicts: Uint8Array
}

export function allocateSlabs(shape: SlabShape): Slabs {
  const { bytes, evseBytes } = shape.row
  return viewSlabs(new SharedArrayBuffer(shape.slabs * shape.rowsPerSlab * (bytes + evseBytes + 1)), shape)
}

export function viewSlabs(memory: SharedArrayBuffer, shape: SlabShape): Slabs {
  const rowCount = shape.slabs * shape.rowsPerSlab
  const [rowsEnd, evsesEnd] = [rowCount * shape.row.bytes, rowCount * (shape.row.bytes + shape.row.evseBytes)]
  return {
    shape,
    memory,
    rows: new Uint8Array(memory, 0, rowsEnd),
    evses: new Uint8Array(memory, rowsEnd, evsesEnd - rowsEnd),
    verdicts: new Uint8Array(memory, evsesEnd, rowCount),
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
