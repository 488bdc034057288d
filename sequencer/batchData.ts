import type { Hex } from 'viem'
import type { BlobSidecar } from '../l1/blobTransaction.ts'
import type { ClosedBatch } from './closedBatch.ts'

/** A closed batch in the form in which L1 takes it. */
export type BatchData =
  | { readonly kind: 'blob'; readonly dataWords: readonly Hex[]; readonly sidecar: BlobSidecar }
  | { readonly kind: 'calldata'; readonly dataWords: readonly Hex[]; readonly data: Uint8Array }

/** Makes it, or makes it again: the same batch gives the same bytes. */
export interface BatchDataSource {
  prepare(batch: ClosedBatch): Promise<BatchData>
}
