import { type Address, getAddress, isAddress } from 'viem'
import { P256_SIGNATURE_BYTES, BLS_SIGNATURE_BYTES, RECORD_BYTES } from './limits.ts'
import { NODE_BYTES } from './treeNode.ts'
import { RECEIPT_SIGNATURE_BYTES, type RangeReceipt, type Receipt } from './receipt.ts'
import { MAX_RECEIPT_LEVELS } from './receiptTree.ts'

// Receipts as JSON (docs/api.md): numbers are numbers, bytes 0x and lower-case hex.

/** A receipt that is kept must say for which deployment it is. */
export interface ReceiptFile {
  readonly chainId: number
  readonly rollup: Address
  readonly receipt: Receipt
}

export function rangeReceiptJson({ root, signature, siblings, ...rest }: RangeReceipt): object {
  return { ...rest, root: hex(root), signature: hex(signature), siblings: siblings.map(hex) }
}

export function receiptJson({ chainId, rollup, receipt }: ReceiptFile): object {
  const { lane, firstPosition, count, time, root, signature, position, row, path } = receipt
  const micro = { lane, firstPosition, count, time, root: hex(root), signature: hex(signature) }
  return { chainId, rollup, ...micro, position, row: hex(row), path: path.map(hex) }
}

const ROW_BYTES = [RECORD_BYTES + P256_SIGNATURE_BYTES, RECORD_BYTES + BLS_SIGNATURE_BYTES]

/** @throws RangeError that names the field; unknown fields are refused. What the receipt proves is not looked at. */
export function parseReceiptJson(text: string): ReceiptFile {
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new RangeError('a receipt is JSON')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new RangeError('a receipt is an object')
  const { chainId, rollup, lane, firstPosition, count, time, root, signature, position, row, path, ...unknown } =
    body as Record<string, unknown>
  for (const name of Object.keys(unknown)) throw new RangeError(`unknown field ${name}`)
  if (typeof rollup !== 'string' || !isAddress(rollup, { strict: false })) throw new RangeError('rollup is no address')
  if (!Array.isArray(path) || path.length > MAX_RECEIPT_LEVELS) throw new RangeError('path is no list of siblings')
  return {
    chainId: whole('chainId', chainId, Number.MAX_SAFE_INTEGER),
    rollup: getAddress(rollup),
    receipt: {
      lane: whole('lane', lane, 0xffffffff),
      firstPosition: whole('firstPosition', firstPosition, 2 ** 48),
      count: whole('count', count, 2 ** MAX_RECEIPT_LEVELS),
      time: whole('time', time, 0xffffffff),
      root: bytes('root', root, [NODE_BYTES]),
      signature: bytes('signature', signature, [RECEIPT_SIGNATURE_BYTES]),
      position: whole('position', position, 2 ** 48),
      row: bytes('row', row, ROW_BYTES),
      path: path.map((node, i) => bytes(`path[${i}]`, node, [NODE_BYTES])),
    },
  }
}

function whole(name: string, value: unknown, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`${name} is no integer of 0 to ${max}`)
  }
  return value
}

function bytes(name: string, value: unknown, lengths: readonly number[]): Uint8Array {
  if (typeof value !== 'string' || !/^0x([0-9a-f]{2})*$/i.test(value) || !lengths.includes((value.length - 2) / 2)) {
    throw new RangeError(`${name} is no hex string of ${lengths.join(' or ')} bytes`)
  }
  return new Uint8Array(Buffer.from(value.slice(2), 'hex'))
}

function hex(value: Uint8Array): string {
  return `0x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`
}
