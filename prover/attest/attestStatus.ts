import type { Hex } from 'viem'

export interface LaneAttestStatus {
  readonly lane: number
  /** The newest batch that was found right, and who signed it. */
  readonly index: bigint
  readonly headerHash: Hex
  readonly signers: readonly number[]
  readonly signedMicro: bigint
  /** Newest batch that L1 is known to hold an attestation of. */
  readonly attestedIndex?: bigint
}

export interface AttestStatus {
  /** Absent: the key has not joined. */
  readonly attester?: number
  readonly stakeMicro?: bigint
  readonly isLeaving?: boolean
  readonly attesters: number
  /** Of those that are not leaving. */
  readonly totalStakeMicro: bigint
  readonly lanes: readonly LaneAttestStatus[]
  /** Attestations that we posted. */
  readonly posted: number
  /** Batches not signed because another of the index was. */
  readonly refused: number
  /** Peers that hear us. */
  readonly peers: number
  readonly deniedPeers: number
  readonly listening: readonly string[]
}
