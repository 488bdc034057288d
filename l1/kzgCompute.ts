import { createRequire } from 'node:module'

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

/** What we use of the addon's context. */
export interface KzgContext {
  blobToKzgCommitment(blob: Uint8Array): Uint8Array
  computeCellsAndKzgProofs(blob: Uint8Array): { cells: Uint8Array[]; proofs: Uint8Array[] }
  computeKzgProof(blob: Uint8Array, z: Uint8Array): Uint8Array[]
  verifyKzgProof(commitment: Uint8Array, z: Uint8Array, y: Uint8Array, proof: Uint8Array): boolean
  verifyCellKzgProofBatch(
    commitments: Uint8Array[],
    indices: number[],
    cells: Uint8Array[],
    proofs: Uint8Array[],
  ): boolean
}

// The platform's own package: the one that chooses among platforms names packages that registries do not all hold, and then
// a clean install fails.
const ADDON = '@crate-crypto/node-eth-kzg-linux-x64-gnu'

/** Once a thread. */
let loaded: KzgContext | undefined

/** A context of the addon itself. The trusted setup takes 3–4.5 s of CPU, during which the thread does nothing else. */
export function createKzgContext(): KzgContext {
  const addon = createRequire(import.meta.url)(ADDON) as {
    DasContextJs: { create(options: { usePrecomp: boolean }): KzgContext }
  }
  return addon.DasContextJs.create({ usePrecomp: true })
}

/** Computes in this thread. Also piscina's task, when another thread does it. */
export default function computeKzg(task: KzgTask): KzgResult[KzgTask['kind']] {
  loaded ??= createKzgContext()
  const kzg = loaded
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
