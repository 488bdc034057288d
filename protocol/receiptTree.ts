import { hashInto } from '@chainsafe/hashtree'
import { hashPair, NODE_BYTES, zeroNodes } from './treeNode.ts'

// The tree that a micro-batch is signed by (docs/protocol.md §15.9).

/** 2^16 rows: whoever reads a receipt can bound its path by it. */
export const MAX_RECEIPT_LEVELS = 16
export const MAX_MICRO_BATCH_RECORDS = 2 ** MAX_RECEIPT_LEVELS

/** A row's words, padded: 256 bytes hold the longest, a BLS row's 216. */
const MAX_ROW_NODE_BYTES = 256

/** Siblings on the way from a micro-batch's leaf to its root. */
export function receiptLevels(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1)
}

/** Leaves of `rows`, 32 bytes each: the root of a row's words, zero-padded to the next power of two. */
export function receiptLeaves(rows: Uint8Array, rowBytes: number): Uint8Array {
  const count = rows.length / rowBytes
  const levels = receiptLevels(Math.ceil(rowBytes / NODE_BYTES))
  const leaves = new Uint8Array(count * NODE_BYTES)
  for (let first = 0; first < count; first += BLOCK_ROWS) {
    const last = Math.min(count, first + BLOCK_ROWS)
    leaves.set(blockLeaves(rows.subarray(first * rowBytes, last * rowBytes), rowBytes, levels), first * NODE_BYTES)
  }
  return leaves
}

/** Rows hashed by one call of each level: a whole write's would be half a megabyte that is garbage at once. */
const BLOCK_ROWS = 64
const blockNodes = [0, 1].map((level) => new Uint8Array((BLOCK_ROWS * MAX_ROW_NODE_BYTES) >> level))

/** Holds until the next call. */
function blockLeaves(rows: Uint8Array, rowBytes: number, levels: number): Uint8Array {
  const count = rows.length / rowBytes
  let width = NODE_BYTES << levels
  let nodes = blockNodes[0]!.subarray(0, count * width).fill(0)
  for (let row = 0; row < count; row++) {
    for (let i = 0; i < rowBytes; i++) nodes[row * width + i] = rows[row * rowBytes + i]!
  }
  for (let level = 1; level <= levels; level++) {
    width >>= 1
    const parents = blockNodes[level % 2]!.subarray(0, count * width)
    hashInto(nodes, parents)
    nodes = parents
  }
  return nodes
}

/** Leaves `first` … `first + count − 1` of a tree over `size`. */
export interface LeafRange {
  readonly first: number
  readonly count: number
  readonly size: number
}

/** All nodes of a micro-batch's tree. */
export class ReceiptTree {
  readonly size: number
  readonly #levels: Uint8Array[]

  /** @throws RangeError without leaves, or with more than a micro-batch may hold. */
  constructor(leaves: Uint8Array) {
    this.size = leaves.length / NODE_BYTES
    if (this.size < 1 || this.size > MAX_MICRO_BATCH_RECORDS) {
      throw new RangeError(`a micro-batch holds 1 to ${MAX_MICRO_BATCH_RECORDS} records`)
    }
    this.#levels = [leaves]
    for (let level = 0; level < receiptLevels(this.size); level++) {
      this.#levels.push(hashLevel(padded(this.#levels[level]!, level)))
    }
  }

  get root(): Uint8Array {
    return this.#levels.at(-1)!
  }

  /** What leaves `first` … `first + count − 1` need besides themselves: level by level from the leaves up, left before right. */
  siblings(first: number, count: number): Uint8Array[] {
    return rangeSiblings({ first, count, size: this.size }).map(({ level, index }) => this.#node(level, index))
  }

  path(leaf: number): Uint8Array[] {
    return this.siblings(leaf, 1)
  }

  #node(level: number, index: number): Uint8Array {
    const nodes = this.#levels[level]!
    return index * NODE_BYTES < nodes.length
      ? nodes.slice(index * NODE_BYTES, (index + 1) * NODE_BYTES)
      : zeroNodes[level]!
  }
}

export interface ProvenRange {
  readonly root: Uint8Array
  /** The siblings of leaf `first + i` alone, leaves first. */
  path(i: number): Uint8Array[]
}

/** The root above a range of leaves. Undefined when there is no such range, or it takes another number of siblings. */
export function proveRange(
  leaves: Uint8Array,
  range: Omit<LeafRange, 'count'>,
  siblings: readonly Uint8Array[],
): ProvenRange | undefined {
  const { first, size } = range
  const count = leaves.length / NODE_BYTES
  if (count < 1 || first < 0 || first + count > size || size > MAX_MICRO_BATCH_RECORDS) return undefined
  const places = rangeSiblings({ first, count, size })
  if (siblings.length !== places.length || siblings.some(({ length }) => length !== NODE_BYTES)) return undefined
  const known: { start: number; nodes: Uint8Array[] }[] = []
  let start = first
  let nodes = Array.from({ length: count }, (_, i) => leaves.slice(i * NODE_BYTES, (i + 1) * NODE_BYTES))
  let next = 0
  for (let level = 0; level < receiptLevels(size); level++) {
    if (start % 2 === 1) {
      nodes.unshift(siblings[next++]! as Uint8Array<ArrayBuffer>)
      start--
    }
    if (nodes.length % 2 === 1) nodes.push(siblings[next++]! as Uint8Array<ArrayBuffer>)
    known.push({ start, nodes })
    const parents = nodes.length / 2
    nodes = Array.from({ length: parents }, (_, i) => hashPair(nodes[2 * i]!, nodes[2 * i + 1]!))
    start /= 2
  }
  return {
    root: nodes[0]!,
    path: (i) => known.map(({ start, nodes }, level) => nodes[(((first + i) >>> level) ^ 1) - start]!),
  }
}

/** Where the siblings of a range lie. Above a range of one it is a leaf's path. */
function rangeSiblings({ first, count, size }: LeafRange): { level: number; index: number }[] {
  const places: { level: number; index: number }[] = []
  let low = first
  let high = first + count - 1
  for (let level = 0; level < receiptLevels(size); level++) {
    if (low % 2 === 1) places.push({ level, index: low - 1 })
    if (high % 2 === 0) places.push({ level, index: high + 1 })
    low >>>= 1
    high >>>= 1
  }
  return places
}

function padded(nodes: Uint8Array, level: number): Uint8Array {
  if (nodes.length % (2 * NODE_BYTES) === 0) return nodes
  const even = new Uint8Array(nodes.length + NODE_BYTES)
  even.set(nodes)
  even.set(zeroNodes[level]!, nodes.length)
  return even
}

function hashLevel(nodes: Uint8Array): Uint8Array<ArrayBuffer> {
  const parents = new Uint8Array(nodes.length / 2)
  if (nodes.length > 0) hashInto(nodes, parents)
  return parents
}
