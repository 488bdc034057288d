import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from './bigEndian.ts'
import { NODE_BYTES } from './treeNode.ts'
import { RECEIPT_SIGNATURE_BYTES, type RangeReceipt } from './receipt.ts'
import { MAX_RECEIPT_LEVELS } from './receiptTree.ts'

// Receipts behind the results of an answer, one after another. The lane is the request's.
//
//   firstPosition u64 | count u32 | time u32 | root 32 | signature 65 | position u64 | records u16 | n u8 | n × sibling 32

/**
 * Of one answer. New records of a request need one; duplicates need one for each micro-batch and run of positions that they were in, and
 * rebuilding an old micro-batch is work that an answer must bound. Of duplicates sent so many at a time each has its receipt.
 */
export const MAX_ANSWER_RECEIPTS = 8
const HEAD_BYTES = 124
const MAX_RECEIPT_BYTES = HEAD_BYTES + 2 * MAX_RECEIPT_LEVELS * NODE_BYTES
export const MAX_ANSWER_RECEIPT_BYTES = MAX_ANSWER_RECEIPTS * MAX_RECEIPT_BYTES

export function encodeReceipts(receipts: readonly RangeReceipt[]): Uint8Array {
  const length = receipts.reduce((sum, { siblings }) => sum + HEAD_BYTES + siblings.length * NODE_BYTES, 0)
  const bytes = new Uint8Array(length)
  let at = 0
  for (const receipt of receipts) {
    writeU64(bytes, at, receipt.firstPosition)
    writeU32(bytes, at + 8, receipt.count)
    writeU32(bytes, at + 12, receipt.time)
    bytes.set(receipt.root, at + 16)
    bytes.set(receipt.signature, at + 48)
    writeU64(bytes, at + 113, receipt.position)
    writeU16(bytes, at + 121, receipt.records)
    bytes[at + 123] = receipt.siblings.length
    at += HEAD_BYTES
    for (const sibling of receipt.siblings) {
      bytes.set(sibling, at)
      at += NODE_BYTES
    }
  }
  return bytes
}

/** Undefined when the bytes are no receipts, or too many. Nothing in them is checked. */
export function decodeReceipts(bytes: Uint8Array, lane: number): RangeReceipt[] | undefined {
  const receipts: RangeReceipt[] = []
  let at = 0
  while (at < bytes.length) {
    if (receipts.length === MAX_ANSWER_RECEIPTS || at + HEAD_BYTES > bytes.length) return undefined
    const end = at + HEAD_BYTES + bytes[at + 123]! * NODE_BYTES
    if (end > bytes.length || bytes[at + 123]! > 2 * MAX_RECEIPT_LEVELS) return undefined
    const siblings: Uint8Array[] = []
    for (let node = at + HEAD_BYTES; node < end; node += NODE_BYTES) siblings.push(bytes.slice(node, node + NODE_BYTES))
    receipts.push({
      lane,
      firstPosition: readU64(bytes, at),
      count: readU32(bytes, at + 8),
      time: readU32(bytes, at + 12),
      root: bytes.slice(at + 16, at + 48),
      signature: bytes.slice(at + 48, at + 48 + RECEIPT_SIGNATURE_BYTES),
      position: readU64(bytes, at + 113),
      records: readU16(bytes, at + 121),
      siblings,
    })
    at = end
  }
  return receipts
}
