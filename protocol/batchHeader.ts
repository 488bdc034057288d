import { type Address, concatHex, encodeAbiParameters, type Hex, keccak256, zeroAddress, zeroHash } from 'viem'
import { LaneState } from './laneState.ts'

export const DataKind = { BLOB: 0, CALLDATA: 1 } as const
export type DataKind = (typeof DataKind)[keyof typeof DataKind]

/** What a batch claims (docs/protocol.md §15.3); contracts/src/protocol/Header.sol is its twin. Field order is the encoding's. */
export interface BatchHeader {
  readonly lane: number
  readonly index: bigint
  readonly parentHash: Hex
  /** 31 bytes. */
  readonly postRoot: Hex
  /** Seconds. */
  readonly asOf: number
  readonly l1Block: bigint
  readonly l1Hash: Hex
  readonly forcedStart: bigint
  readonly forcedStartHash: Hex
  readonly forcedEnd: bigint
  readonly forcedEndHash: Hex
  readonly dataKind: number
  readonly chunkCount: number
  readonly forcedChunks: number
  readonly dataHash: Hex
  readonly submitter: Address
}

const headerParameters = [
  {
    type: 'tuple',
    components: [
      { name: 'lane', type: 'uint32' },
      { name: 'index', type: 'uint64' },
      { name: 'parentHash', type: 'bytes32' },
      { name: 'postRoot', type: 'bytes31' },
      { name: 'asOf', type: 'uint32' },
      { name: 'l1Block', type: 'uint64' },
      { name: 'l1Hash', type: 'bytes32' },
      { name: 'forcedStart', type: 'uint64' },
      { name: 'forcedStartHash', type: 'bytes32' },
      { name: 'forcedEnd', type: 'uint64' },
      { name: 'forcedEndHash', type: 'bytes32' },
      { name: 'dataKind', type: 'uint8' },
      { name: 'chunkCount', type: 'uint32' },
      { name: 'forcedChunks', type: 'uint32' },
      { name: 'dataHash', type: 'bytes32' },
      { name: 'submitter', type: 'address' },
    ],
  },
] as const

export function hashHeader(header: BatchHeader): Hex {
  return keccak256(encodeAbiParameters(headerParameters, [header]))
}

/** keccak256 of the concatenated versioned hashes or chunk hashes. */
export function hashDataWords(words: readonly Hex[]): Hex {
  return keccak256(concatHex([...words]))
}

/** Root of a lane in which nothing has happened, 31 bytes. */
export const EMPTY_ROOT: Hex = `0x${Buffer.from(new LaneState().root()).toString('hex')}`

/** Header 0 of a lane opened in a block of time `openedAt` (seconds). */
export function genesisHeader(lane: number, openedAt: number): BatchHeader {
  return {
    lane,
    index: 0n,
    parentHash: zeroHash,
    postRoot: EMPTY_ROOT,
    asOf: openedAt,
    l1Block: 0n,
    l1Hash: zeroHash,
    forcedStart: 0n,
    forcedStartHash: zeroHash,
    forcedEnd: 0n,
    forcedEndHash: zeroHash,
    dataKind: DataKind.BLOB,
    chunkCount: 0,
    forcedChunks: 0,
    dataHash: zeroHash,
    submitter: zeroAddress,
  }
}
