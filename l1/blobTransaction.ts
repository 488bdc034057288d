import { type Address, type Hex, keccak256 } from 'viem'
import { BLOB_BYTES } from '../protocol/chunk.ts'
import { fromHex, toHex } from './bytes.ts'
import type { L1Account } from './client.ts'
import {
  blobToCommitment,
  CELL_PROOFS_PER_BLOB,
  COMMITMENT_BYTES,
  cellsAndProofs,
  PROOF_BYTES,
  versionedHash,
} from './kzg.ts'

/** What travels beside an EIP-4844 transaction since EIP-7594. All lists follow the order of the blobs. */
export interface BlobSidecar {
  blobs: readonly Uint8Array[]
  /** 48 bytes each. */
  commitments: readonly Uint8Array[]
  /** 128 × 48 bytes for each blob, flat. */
  cellProofs: readonly Uint8Array[]
  versionedHashes: readonly Hex[]
}

export interface BlobTransaction {
  chainId: number
  nonce: number
  to: Address
  data: Hex
  value: bigint
  gas: bigint
  maxFeePerGas: bigint
  maxPriorityFeePerGas: bigint
  maxFeePerBlobGas: bigint
}

export interface SignedTransaction {
  hash: Hex
  /** Network form, for eth_sendRawTransaction. */
  raw: Hex
}

/** ~0.4 s of CPU a blob, off the event loop. */
export async function prepareSidecar(blobs: readonly Uint8Array[]): Promise<BlobSidecar> {
  const commitments: Uint8Array[] = []
  const cellProofs: Uint8Array[] = []
  for (const blob of blobs) {
    commitments.push(await blobToCommitment(blob))
    const { proofs } = await cellsAndProofs(blob)
    cellProofs.push(Buffer.concat(proofs))
  }
  return { blobs, commitments, cellProofs, versionedHashes: commitments.map(versionedHash) }
}

/**
 * The sidecar of one blob of zeros: polynomial 0, so that commitment and proofs are the point at infinity. Needs no computation,
 * which makes cancelling a blob transaction cheap in CPU.
 */
export function emptySidecar(): BlobSidecar {
  const infinity = new Uint8Array(COMMITMENT_BYTES)
  infinity[0] = 0xc0
  const proofs = new Uint8Array(CELL_PROOFS_PER_BLOB * PROOF_BYTES)
  for (let i = 0; i < CELL_PROOFS_PER_BLOB; i++) proofs[i * PROOF_BYTES] = 0xc0
  return {
    blobs: [new Uint8Array(BLOB_BYTES)],
    commitments: [infinity],
    cellProofs: [proofs],
    versionedHashes: [versionedHash(infinity)],
  }
}

/** viem writes the sidecar of before EIP-7594, which main net no longer takes: so it signs the body and we wrap it. */
export async function signBlobTransaction(
  account: L1Account,
  transaction: BlobTransaction,
  sidecar: BlobSidecar,
): Promise<SignedTransaction> {
  const body = await account.signTransaction({
    ...transaction,
    type: 'eip4844',
    blobVersionedHashes: [...sidecar.versionedHashes],
  })
  return { hash: keccak256(body), raw: toHex(wrapNetworkV1(fromHex(body), sidecar)) }
}

/** 0x03 ‖ rlp([body, 0x01, blobs, commitments, cell proofs]), EIP-7594. */
function wrapNetworkV1(signedBody: Uint8Array, sidecar: BlobSidecar): Uint8Array {
  const count = sidecar.blobs.length
  if (count === 0 || sidecar.commitments.length !== count || sidecar.cellProofs.length !== count) {
    throw new RangeError('a sidecar has one commitment and one run of cell proofs for each blob')
  }
  const proofs = sidecar.cellProofs.flatMap((run) => {
    if (run.length !== CELL_PROOFS_PER_BLOB * PROOF_BYTES) throw new RangeError(`cell proofs of ${run.length} bytes`)
    return Array.from({ length: CELL_PROOFS_PER_BLOB }, (_, i) => run.subarray(i * PROOF_BYTES, (i + 1) * PROOF_BYTES))
  })
  const rlpBody = signedBody.subarray(1)
  const version = Uint8Array.of(0x01)
  const wrapper = rlpList([
    rlpBody,
    version,
    rlpStrings(sidecar.blobs),
    rlpStrings(sidecar.commitments),
    rlpStrings(proofs),
  ])
  return Buffer.concat([Uint8Array.of(0x03), wrapper])
}

function rlpStrings(strings: readonly Uint8Array[]): Uint8Array {
  return rlpList(strings.flatMap((bytes) => [rlpPrefix(0x80, bytes.length), bytes]))
}

/** `parts` are RLP already. */
function rlpList(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([rlpPrefix(0xc0, length), ...parts])
}

function rlpPrefix(offset: number, length: number): Uint8Array {
  if (length <= 55) return Uint8Array.of(offset + length)
  const digits = length.toString(16)
  const bytes = fromHex(digits.length % 2 === 0 ? digits : `0${digits}`)
  return Buffer.concat([Uint8Array.of(offset + 55 + bytes.length), bytes])
}
