import { encodeAbiParameters, type Hex } from 'viem'

// The proof that IFraudVerifier.execute takes, docs/protocol.md §15.4. Field order is the encoding's.

/** The chunk's bytes and what authenticates them. */
export interface Opening {
  /** Blob: the cell, 64 elements × 32. Calldata: the chunk's bytes. */
  readonly chunk: Hex
  /** Blob: affine x 48 ‖ y 48, all zero for infinity. Calldata: empty. */
  readonly commitment: Hex
  readonly cellProof: Hex
  /** Where chunk k+1 states its preRoot: element ‖ commitment ‖ point proof, or the chunk's bytes. Empty after the last chunk. */
  readonly next: Hex
}

/** What re-execution must know of the state and of L1 before the chunk. */
export interface Witness {
  readonly laneLeaf: Hex
  /** Funding checkpoint in force at `asOf`, or 2^32−1 for none. */
  readonly fundingIndex: number
  /** Rising. */
  readonly tariffVersions: readonly number[]
  /** 92 bytes each, in the order of `tariffVersions`. */
  readonly tariffs: Hex
  /** Entries slot u32 | leaf 32 | descriptor, by strictly rising slot. */
  readonly evses: Hex
  readonly evseSiblings: Hex
  readonly contracts: Hex
  readonly contractSiblings: Hex
}

export interface Proof {
  /** Versioned hashes of the batch's blobs, or the hash of every calldata chunk. */
  readonly dataWords: readonly Hex[]
  readonly opening: Opening
  readonly witness: Witness
  /** A forced chunk's entries, record 24 | queuedAt u32; absent for any other chunk. */
  readonly forced?: Hex
}

const proofParameters = [
  {
    type: 'tuple',
    components: [
      { name: 'dataWords', type: 'bytes32[]' },
      {
        name: 'opening',
        type: 'tuple',
        components: [
          { name: 'chunk', type: 'bytes' },
          { name: 'commitment', type: 'bytes' },
          { name: 'cellProof', type: 'bytes' },
          { name: 'next', type: 'bytes' },
        ],
      },
      {
        name: 'witness',
        type: 'tuple',
        components: [
          { name: 'laneLeaf', type: 'bytes32' },
          { name: 'fundingIndex', type: 'uint32' },
          { name: 'tariffVersions', type: 'uint32[]' },
          { name: 'tariffs', type: 'bytes' },
          { name: 'evses', type: 'bytes' },
          { name: 'evseSiblings', type: 'bytes' },
          { name: 'contracts', type: 'bytes' },
          { name: 'contractSiblings', type: 'bytes' },
        ],
      },
      { name: 'forced', type: 'bytes' },
    ],
  },
] as const

export function encodeProof(proof: Proof): Hex {
  return encodeAbiParameters(proofParameters, [{ ...proof, forced: proof.forced ?? '0x' }])
}

/** The opening of a chunk posted as calldata. `next`: the bytes of the chunk after it, undefined after the last. */
export function calldataOpening(chunk: Hex, next: Hex | undefined): Opening {
  return { chunk, commitment: '0x', cellProof: '0x', next: next ?? '0x' }
}
