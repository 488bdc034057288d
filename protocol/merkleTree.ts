import { hashInto } from '@chainsafe/hashtree'
import { TREE_DEPTH } from './limits.ts'

export const NODE_BYTES = 32
const NODE_WORDS = 8
const pairScratch = new Uint8Array(2 * NODE_BYTES)
/** Nodes hashed by one call of the many; what is more goes in steps of so many. */
const MAX_CALL_NODES = 256

/** zeroNodes[l]: root of a perfect tree of depth l with all-zero leaves. */
export const zeroNodes: readonly Uint8Array[] = (() => {
  const nodes: Uint8Array[] = [new Uint8Array(NODE_BYTES)]
  for (let level = 0; level < TREE_DEPTH; level++) nodes.push(hashPair(nodes[level]!, nodes[level]!))
  return nodes
})()

/** H(a, b) = SHA-256(a ‖ b) over two 32-byte words. */
export function hashPair(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  pairScratch.set(a)
  pairScratch.set(b, NODE_BYTES)
  const out = new Uint8Array(NODE_BYTES)
  hashInto(pairScratch, out)
  return out
}

/**
 * A perfect SHA-256 tree of depth 20 with 32-byte leaves (docs/protocol.md §6). Slots are given in order, so only the
 * subtree over the slots in use is held, in flat arrays that double; above it the other child is always a zero node.
 * Changed leaves are re-hashed a level at a time, natively, when a root is asked for.
 */
export class MerkleTree {
  /** Leaf i lies at 32·i. Write through it and tell `markDirty`. Replaced when the tree grows: do not keep it. */
  leaves: Uint8Array
  #levels: Uint8Array[]
  #words: Uint32Array[]
  #capacityDepth: number
  #dirty: Uint32Array = new Uint32Array(64)
  #dirtyCount = 0

  constructor(capacityDepth = 4) {
    this.#capacityDepth = capacityDepth
    this.#levels = []
    for (let level = 0; level <= capacityDepth; level++) {
      this.#levels.push(filledLevel(level, 2 ** (capacityDepth - level)))
    }
    this.#words = this.#levels.map(wordsOf)
    this.leaves = this.#levels[0]!
  }

  /** Makes room for leaf `index` < 2^20. */
  reserve(index: number): void {
    while (index >= 2 ** this.#capacityDepth) this.#grow()
  }

  markDirty(index: number): void {
    if (this.#dirtyCount === this.#dirty.length) {
      this.#compactDirty()
      if (this.#dirtyCount > this.#dirty.length / 2) {
        const larger = new Uint32Array(this.#dirty.length * 2)
        larger.set(this.#dirty)
        this.#dirty = larger
      }
    }
    this.#dirty[this.#dirtyCount++] = index
  }

  /** A copy of leaf `index`; zero beyond the leaves in use. */
  leaf(index: number): Uint8Array {
    if (index >= 2 ** this.#capacityDepth) return new Uint8Array(NODE_BYTES)
    return this.leaves.slice(index * NODE_BYTES, (index + 1) * NODE_BYTES)
  }

  setLeaf(index: number, leaf: Uint8Array): void {
    this.reserve(index)
    this.leaves.set(leaf, index * NODE_BYTES)
    this.markDirty(index)
  }

  /** Fills a new tree from leaf 0 on, `leaves` being as long as a whole number of them. All-zero leaves stay as they are. */
  fill(leaves: Uint8Array): void {
    const count = leaves.length / NODE_BYTES
    if (count === 0) return
    this.reserve(count - 1)
    this.leaves.set(leaves)
    for (let i = 0; i < count; i++) if (!isZero(this.leaves, i * NODE_BYTES)) this.markDirty(i)
  }

  /** A copy of the leaves in use: up to the last that is not zero. */
  usedLeaves(): Uint8Array {
    let count = this.leaves.length / NODE_BYTES
    while (count > 0 && isZero(this.leaves, (count - 1) * NODE_BYTES)) count--
    return this.leaves.slice(0, count * NODE_BYTES)
  }

  /** Root of depth 20, 32 bytes. */
  root(): Uint8Array {
    this.#rehash()
    return this.#rootAbove(0)
  }

  /** The 20 siblings of leaf `index`, leaves first, for a withdrawal. */
  path(index: number): Uint8Array[] {
    this.#rehash()
    return Array.from({ length: TREE_DEPTH }, (_, level) => this.#node(level, (index >>> level) ^ 1))
  }

  /** Siblings of a multiproof over strictly rising `indices`, level by level from the leaves (docs/protocol.md §15.2). */
  multiproof(indices: readonly number[]): Uint8Array[] {
    if (indices.length === 0) throw new RangeError('a multiproof needs at least one leaf')
    this.#rehash()
    const siblings: Uint8Array[] = []
    let nodes = [...indices]
    for (let level = 0; level < TREE_DEPTH; level++) {
      const parents: number[] = []
      for (let i = 0; i < nodes.length; i++) {
        const node = nodes[i]!
        if (nodes[i + 1] === (node ^ 1)) i++
        else siblings.push(this.#node(level, node ^ 1))
        parents.push(node >>> 1)
      }
      nodes = parents
    }
    return siblings
  }

  #node(level: number, index: number): Uint8Array {
    if (level <= this.#capacityDepth && index < 2 ** (this.#capacityDepth - level)) {
      return this.#levels[level]!.slice(index * NODE_BYTES, (index + 1) * NODE_BYTES)
    }
    return index === 0 ? this.#rootAbove(TREE_DEPTH - level) : zeroNodes[level]!
  }

  /** The leftmost node `below` levels under the root, above the subtree that is held. */
  #rootAbove(below: number): Uint8Array {
    const node = this.#levels[this.#capacityDepth]!.slice()
    for (let level = this.#capacityDepth; level < TREE_DEPTH - below; level++) {
      pairScratch.set(node)
      pairScratch.set(zeroNodes[level]!, NODE_BYTES)
      hashInto(pairScratch, node)
    }
    return node
  }

  #rehash(): void {
    if (this.#dirtyCount === 0) return
    this.#compactDirty()
    const nodes = this.#dirty
    let count = this.#dirtyCount
    for (let level = 0; level < this.#capacityDepth; level++) {
      const from = this.#words[level]!
      const to = this.#words[level + 1]!
      let parents = 0
      let done = 0
      for (let i = 0; i < count; i++) {
        const parent = nodes[i]! >>> 1
        if (parents > 0 && nodes[parents - 1] === parent) continue
        if (parents - done === MAX_CALL_NODES) {
          hashNodes(nodes, done, parents, to)
          done = parents
        }
        const source = parent * 2 * NODE_WORDS
        const target = (parents - done) * 2 * NODE_WORDS
        for (let w = 0; w < 2 * NODE_WORDS; w++) callPairWords[target + w] = from[source + w]!
        nodes[parents++] = parent
      }
      hashNodes(nodes, done, parents, to)
      count = parents
    }
    this.#dirtyCount = 0
  }

  /** Sorts the dirty indices and drops repeats. */
  #compactDirty(): void {
    const sorted = this.#dirty.subarray(0, this.#dirtyCount).sort()
    let kept = 0
    for (let i = 0; i < sorted.length; i++) {
      if (kept === 0 || sorted[kept - 1] !== sorted[i]) sorted[kept++] = sorted[i]!
    }
    this.#dirtyCount = kept
  }

  #grow(): void {
    if (this.#capacityDepth === TREE_DEPTH) throw new RangeError('leaf index out of range')
    const depth = this.#capacityDepth + 1
    const levels: Uint8Array[] = this.#levels.map((old, level) => {
      const larger: Uint8Array = filledLevel(level, 2 ** (depth - level))
      larger.set(old)
      return larger
    })
    levels.push(hashPair(this.#levels[this.#capacityDepth]!, zeroNodes[this.#capacityDepth]!))
    this.#levels = levels
    this.#words = levels.map(wordsOf)
    this.#capacityDepth = depth
    this.leaves = levels[0]!
  }
}

function isZero(leaves: Uint8Array, at: number): boolean {
  for (let i = at; i < at + NODE_BYTES; i++) if (leaves[i] !== 0) return false
  return true
}

// Memory of one native call, and its views by how many nodes it hashes: made once, since a root is computed every 22 records over some
// twenty levels, and two views for each would cost as much as the hashing. Nothing here is awaited, so all trees share it.
const callPairs = new Uint8Array(MAX_CALL_NODES * 2 * NODE_BYTES)
const callHashes = new Uint8Array(MAX_CALL_NODES * NODE_BYTES)
const callPairWords = wordsOf(callPairs)
const callHashWords = wordsOf(callHashes)
const callViews = Array.from({ length: MAX_CALL_NODES + 1 }, (_, count) => ({
  pairs: callPairs.subarray(0, count * 2 * NODE_BYTES),
  hashes: callHashes.subarray(0, count * NODE_BYTES),
}))

/** Hashes the pairs gathered in `callPairs` into nodes[first … end) of a level. */
function hashNodes(nodes: Uint32Array, first: number, end: number, level: Uint32Array): void {
  const { pairs, hashes } = callViews[end - first]!
  hashInto(pairs, hashes)
  for (let i = first; i < end; i++) {
    const source = (i - first) * NODE_WORDS
    const target = nodes[i]! * NODE_WORDS
    for (let w = 0; w < NODE_WORDS; w++) level[target + w] = callHashWords[source + w]!
  }
}

function filledLevel(level: number, nodes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(nodes * NODE_BYTES)
  if (level > 0) for (let i = 0; i < nodes; i++) bytes.set(zeroNodes[level]!, i * NODE_BYTES)
  return bytes
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
}
