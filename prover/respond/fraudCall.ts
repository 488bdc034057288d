import { type Address, encodeAbiParameters, encodeFunctionData, type Hex, keccak256 } from 'viem'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import type { BatchHeader } from '../../protocol/batchHeader.ts'

const commitmentParameters = [
  { type: 'bytes32' },
  { type: 'uint32' },
  { type: 'address' },
  { type: 'bytes32' },
] as const

export interface Commitment {
  readonly headerHash: Hex
  readonly chunk: number
  /** Who will send the proof: nobody else can use it. */
  readonly prover: Address
  readonly salt: Hex
}

/** keccak256(header hash, chunk, prover, salt), docs/protocol.md §8. */
export function fraudCommitment(parts: Commitment): Hex {
  return keccak256(encodeAbiParameters(commitmentParameters, [parts.headerHash, parts.chunk, parts.prover, parts.salt]))
}

export function commitFraudData(commitment: Hex): Hex {
  return encodeFunctionData({ abi: rollupAbi, functionName: 'commitFraud', args: [commitment] })
}

export function proveFraudData(parts: {
  header: BatchHeader
  parent: BatchHeader
  chunk: number
  salt: Hex
  proof: Hex
}): Hex {
  return encodeFunctionData({
    abi: rollupAbi,
    functionName: 'proveFraud',
    args: [parts.header, parts.parent, parts.chunk, parts.salt, parts.proof],
  })
}
