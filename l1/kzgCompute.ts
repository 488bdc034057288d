import { createRequire } from 'node:module'
import type { DasContextJs } from '@crate-crypto/node-eth-kzg'

/** What KZG can be asked; blobs, cells, commitments, points and proofs are bytes as EIP-4844 and EIP-7594 have them. */
export type KzgTask =
  | { readonly kind: 'load' }
  | { readonly kind: 'commitment'; readonly blob: Uint8Array }
  | { readonly kind: 'cells'; readonly blob: Uint8Array }
  | { readonly kind: 'point'; readonly blob: Uint8Array; readonly z: Uint8Array }
  | {
      readonly kind: 'verifyPoint'
      readonly commitment: Uint8Array
      readonly z: Uint8Array
      readonly y: Uint8Array
      readonly proof: Uint8Array
    }
  | {
      readonly kind: 'verifyCell'
      readonly commitment: Uint8Array
      readonly index: number
      readonly bytes: Uint8Array
      readonly proof: Uint8Array
    }

export interface KzgResult {
  load: undefined
  commitment: Uint8Array
  cells: { cells: Uint8Array[]; proofs: Uint8Array[] }
  /** Proof, then value. */
  point: Uint8Array[]
  verifyPoint: boolean
  verifyCell: boolean
}

let loaded: DasContextJs | undefined

/** The trusted setup with its tables, once a thread: 3–4.5 s of CPU during which the thread does nothing else. */
function context(): DasContextJs {
  if (loaded === undefined) {
    // A CommonJS addon: its named exports are not visible to import.
    const addon = createRequire(import.meta.url)('@crate-crypto/node-eth-kzg') as {
      DasContextJs: { create(options: { usePrecomp: boolean }): DasContextJs }
    }
    loaded = addon.DasContextJs.create({ usePrecomp: true })
  }
  return loaded
}

/** Computes in this thread. Also piscina's task, when another thread does it. */
export default function computeKzg(task: KzgTask): KzgResult[KzgTask['kind']] {
  const kzg = context()
  switch (task.kind) {
    case 'load':
      return undefined
    case 'commitment':
      return kzg.blobToKzgCommitment(task.blob)
    case 'cells': {
      const { cells, proofs } = kzg.computeCellsAndKzgProofs(task.blob)
      return { cells, proofs }
    }
    case 'point':
      return kzg.computeKzgProof(task.blob, task.z)
    case 'verifyPoint':
      return kzg.verifyKzgProof(task.commitment, task.z, task.y, task.proof)
    case 'verifyCell':
      return kzg.verifyCellKzgProofBatch([task.commitment], [task.index], [task.bytes], [task.proof])
    default:
      return task satisfies never
  }
}
