import { hexToBytes } from 'viem'
import type { Hex } from 'viem'
import { toHex } from '../../l1/bytes.ts'
import { readU32, writeU32 } from '../../protocol/bigEndian.ts'

/** One attester's signature on a batch, as attesters tell each other. */
export interface Vote {
  /** Seconds since the epoch: lets a vote be told again. Nothing vouches for it. */
  readonly toldAt: number
  readonly attester: number
  readonly headerHash: Hex
  /** 96 bytes, compressed (ZCash). */
  readonly signature: Uint8Array
}

/** toldAt u32 | attester u8 | headerHash 32 | signature 96 */
export const VOTE_BYTES = 133

export function encodeVote(vote: Vote): Uint8Array {
  const bytes = new Uint8Array(VOTE_BYTES)
  writeU32(bytes, 0, vote.toldAt)
  bytes[4] = vote.attester
  bytes.set(hexToBytes(vote.headerHash), 5)
  bytes.set(vote.signature, 37)
  return bytes
}

export function decodeVote(bytes: Uint8Array): Vote | undefined {
  if (bytes.length !== VOTE_BYTES) return undefined
  return {
    toldAt: readU32(bytes, 0),
    attester: bytes[4]!,
    headerHash: toHex(bytes.subarray(5, 37)),
    signature: bytes.slice(37),
  }
}
