import { createHash } from 'node:crypto'
import { type Address, type Hex, hexToBytes } from 'viem'
import { writeBigUint } from './bigEndian.ts'

export interface AttestDomain {
  readonly chainId: bigint
  readonly attesters: Address
}

/** SHA-256("backfeed/1/attest" ‖ chainId u256 ‖ attesters address ‖ headerHash): what an attester signs for a batch (§15.7). */
export function attestMessage({ chainId, attesters }: AttestDomain, headerHash: Hex): Uint8Array {
  const tail = new Uint8Array(84)
  writeBigUint(tail, 0, 32, chainId)
  tail.set(hexToBytes(attesters), 32)
  tail.set(hexToBytes(headerHash), 52)
  return createHash('sha256').update('backfeed/1/attest').update(tail).digest()
}

/** Strictly more than two thirds (§11). */
export function isQuorum(signedMicro: bigint, totalMicro: bigint): boolean {
  return signedMicro * 3n > totalMicro * 2n
}
