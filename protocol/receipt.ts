import { secp256k1 } from '@noble/curves/secp256k1.js'
import { type Address, encodeAbiParameters, getAddress, keccak256, stringToBytes } from 'viem'
import { readBigUint, writeBigUint } from './bigEndian.ts'
import { NODE_BYTES } from './treeNode.ts'
import { proveRange, receiptLeaves } from './receiptTree.ts'

// A sequencer's word for the place of records in its lane (docs/protocol.md §13, §15.9). contracts/src/promise/ReceiptLib.sol is the twin.

export const RECEIPT_SIGNATURE_BYTES = 65

/** Records that a sequencer made durable and signed together: leaf i has position `firstPosition + i`. */
export interface MicroBatch {
  readonly lane: number
  readonly firstPosition: number
  readonly count: number
  /** Seconds, of the signing. */
  readonly time: number
  readonly root: Uint8Array
}

export interface SignedMicroBatch extends MicroBatch {
  /** secp256k1, r ‖ s ‖ v, 65 bytes; s low and v 27 or 28, as L1 takes it. */
  readonly signature: Uint8Array
}

/** For records that lie next to each other in one micro-batch. */
export interface RangeReceipt extends SignedMicroBatch {
  /** Of the range's first record. */
  readonly position: number
  readonly records: number
  /** As `ReceiptTree.siblings`. */
  readonly siblings: readonly Uint8Array[]
}

/** For one record: what L1 takes. */
export interface Receipt extends SignedMicroBatch {
  readonly position: number
  /** record ‖ signature */
  readonly row: Uint8Array
  readonly path: readonly Uint8Array[]
}

/** keccak256 of the EIP-712 domain ("Backfeed", "1", chainId, rollup). */
export function receiptDomain(chainId: bigint, rollup: Address): Uint8Array {
  return keccak256(
    encodeAbiParameters(
      [{ type: 'bytes32' }, { type: 'bytes32' }, { type: 'bytes32' }, { type: 'uint256' }, { type: 'address' }],
      [DOMAIN_TYPE_HASH, keccak256(stringToBytes('Backfeed')), keccak256(stringToBytes('1')), chainId, rollup],
    ),
    'bytes',
  )
}

const DOMAIN_TYPE_HASH = keccak256(
  stringToBytes('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'),
)
const TYPE_HASH = keccak256(
  stringToBytes('MicroBatch(uint32 lane,uint64 firstPosition,uint32 count,uint32 time,bytes32 root)'),
  'bytes',
)

/** The 32 bytes that the lane's operator signs. `domain`: `receiptDomain`. */
export function microBatchDigest(domain: Uint8Array, microBatch: MicroBatch): Uint8Array {
  const { lane, firstPosition, count, time, root } = microBatch
  const struct = new Uint8Array(6 * 32)
  struct.set(TYPE_HASH, 0)
  for (const [i, value] of [lane, firstPosition, count, time].entries()) {
    writeBigUint(struct, 32 * (i + 1), 32, BigInt(value))
  }
  struct.set(root, 160)
  const message = new Uint8Array(66)
  message.set([0x19, 0x01])
  message.set(domain, 2)
  message.set(keccak256(struct, 'bytes'), 34)
  return keccak256(message, 'bytes')
}

/** Who signed a digest; undefined for what L1 would not take as a signature, a high s among it. About 2 ms. */
export function recoverReceiptSigner(digest: Uint8Array, signature: Uint8Array): Address | undefined {
  if (signature.length !== RECEIPT_SIGNATURE_BYTES) return undefined
  const v = signature[64]!
  if (v !== 27 && v !== 28) return undefined
  if (readBigUint(signature, 32, 32) > secp256k1.Point.Fn.ORDER / 2n) return undefined
  const recovered = new Uint8Array(RECEIPT_SIGNATURE_BYTES)
  recovered[0] = v - 27
  recovered.set(signature.subarray(0, 64), 1)
  try {
    const point = secp256k1.Signature.fromBytes(recovered, 'recovered').recoverPublicKey(digest)
    return getAddress(`0x${keccak256(point.toBytes(false).subarray(1)).slice(26)}`)
  } catch {
    return undefined // r or s is zero or too large, or r names no point
  }
}

/**
 * The receipts of `rows`, one each, under a range's receipt; undefined when they are not what lies at the range's positions under the
 * micro-batch's root. Says nothing of the signature.
 */
export function receiptsOfRange(
  range: RangeReceipt,
  rows: Uint8Array,
  rowBytes: number,
): ((i: number) => Receipt) | undefined {
  const { position, records, siblings, ...microBatch } = range
  if (rows.length !== records * rowBytes || records < 1) return undefined
  const place = { first: position - microBatch.firstPosition, size: microBatch.count }
  const proven = proveRange(receiptLeaves(rows, rowBytes), place, siblings)
  if (proven === undefined || !equal(proven.root, microBatch.root)) return undefined
  return (i) => ({
    ...microBatch,
    position: position + i,
    row: rows.slice(i * rowBytes, (i + 1) * rowBytes),
    path: proven.path(i),
  })
}

/** Whether the row lies at its position under the micro-batch's root. */
export function receiptHoldsRow(receipt: Receipt): boolean {
  const { row, path, position, ...microBatch } = receipt
  return receiptsOfRange({ ...microBatch, position, records: 1, siblings: path }, row, row.length) !== undefined
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === NODE_BYTES && b.length === NODE_BYTES && Buffer.compare(a, b) === 0
}
