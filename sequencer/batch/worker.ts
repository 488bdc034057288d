import type { Hex } from 'viem'
import { type BlobSidecar, prepareSidecar } from '../../l1/blobTransaction.ts'
import { loadKzg } from '../../l1/kzg.ts'
import { type BatchRows, writeBlobs, writeCalldata } from './chunks.ts'

export type BatchTask =
  | { readonly kind: 'warm' }
  | { readonly kind: 'sidecar'; readonly batch: BatchRows }
  | { readonly kind: 'calldata'; readonly batch: BatchRows }

export type BuiltBatch =
  | { readonly kind: 'warm' }
  | { readonly kind: 'sidecar'; readonly sidecar: BlobSidecar }
  | { readonly kind: 'calldata'; readonly data: Uint8Array; readonly dataWords: readonly Hex[] }

/** Piscina's task. Loading the KZG setup holds a thread for seconds, a batch's aggregates for tenths: never the one that answers requests. */
export default async function build(task: BatchTask): Promise<BuiltBatch> {
  switch (task.kind) {
    case 'warm':
      await loadKzg()
      return { kind: 'warm' }
    case 'sidecar':
      return { kind: 'sidecar', sidecar: await prepareSidecar(writeBlobs(task.batch)) }
    case 'calldata':
      return { kind: 'calldata', ...writeCalldata(task.batch) }
    default:
      return task satisfies never
  }
}
