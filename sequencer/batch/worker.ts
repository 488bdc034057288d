import { prepareSidecar } from '../../l1/blobTransaction.ts'
import type { BlobSidecar } from '../../l1/blobTransaction.ts'
import { loadKzg } from '../../l1/kzg.ts'
import { type BatchRows, writeBlobs } from './chunks.ts'

export type BatchTask = { readonly kind: 'warm' } | ({ readonly kind: 'sidecar' } & BatchRows)

/** Piscina's task. Loading the KZG setup holds a thread for seconds: never the one that answers requests. */
export default async function build(task: BatchTask): Promise<BlobSidecar | undefined> {
  switch (task.kind) {
    case 'warm':
      await loadKzg()
      return undefined
    case 'sidecar':
      return await prepareSidecar(writeBlobs(task))
    default:
      return task satisfies never
  }
}
