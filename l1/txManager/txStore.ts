import type { BlobSidecar } from '../blobTransaction.ts'
import type { TxRecord } from './txRecord.ts'

/**
 * Where transactions survive a crash. Every write is durable when its promise resolves; one that rejects with STORE_FAILED may be there or not, and is
 * tried again.
 */
export interface TxStore {
  /** Every record, in any order; throws DATA_CORRUPTED rather than return one that is not what was written. */
  load(): Promise<TxRecord[]>
  put(record: TxRecord): Promise<void>
  /** Removes the record and its sidecar. */
  delete(id: string): Promise<void>
  /** Written before the record that needs it. */
  putSidecar(id: string, sidecar: BlobSidecar): Promise<void>
  getSidecar(id: string): Promise<BlobSidecar | undefined>
  deleteSidecar(id: string): Promise<void>
}

/** For tests, and for tools whose transactions may be forgotten when they end. */
export function memoryTxStore(): TxStore {
  const records = new Map<string, TxRecord>()
  const sidecars = new Map<string, BlobSidecar>()
  return {
    load: async () => [...records.values()],
    put: async (record) => void records.set(record.id, record),
    delete: async (id) => {
      records.delete(id)
      sidecars.delete(id)
    },
    putSidecar: async (id, sidecar) => void sidecars.set(id, sidecar),
    getSidecar: async (id) => sidecars.get(id),
    deleteSidecar: async (id) => void sidecars.delete(id),
  }
}
