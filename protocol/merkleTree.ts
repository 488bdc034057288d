import { hashInto } from '@chainsafe/hashtree'
import { TREE_DEPTH } from './limits.ts'
import { hashPair, NODE_BYTES, zeroNodes } from './treeNode.ts'
import {
  copyNode,
  hashWindow,
  newNodes,
  WINDOW_MOMENTS,
  WINDOW_WRITES,
  type WindowRoots,
  wordsOf,
} from './treeWindow.ts'

const FIRST_LOG = 64
/** Large memory begins 16 bytes into a page with the usual allocators: a node and its sibling then lie in one line of 64 bytes, not across two. */
const LINE_OFFSET = 48

/**
 * A perfect SHA-256 tree of depth 20 with 32-byte leaves (docs/protocol.md §6). Slots are given in order, so only the
 * subtree over the slots in use is held, in flat arrays that double; above it the other child is always a zero node.
 *
 * Nothing is hashed when a leaf is written or a root noted: a log of the writes tells what the leaves were at every moment, and
 * what several moments changed is hashed together, when it is enough or somebody asks for a root (treeWindow.ts).
 */
export class MerkleTree {
  /** Leaf i lies at 32·i. To be written after `willWrite` only. Replaced when the tree grows: do not keep it. */
  leaves: Uint8Array
  #levels: Uint8Array[]
  #words: BigUint64Array[]
  #capacityDepth: number
  // The log of writes: all since `beginUndo`, or those that are not hashed yet.
  #slots = new Uint32Array(FIRST_LOG)
  #before = newNodes(FIRST_LOG)
  #moments = new Uint8Array(FIRST_LOG)
  #logged = 0
  #hashed = 0
  /** Roots noted and not hashed yet. */
  #moment = 0
  #isUndoable = false
  /** As of `#hashed`. */
  readonly #root = zeroNodes[TREE_DEPTH]!.slice()
  /** Those noted and hashed, not taken yet. */
  #roots = new Uint8Array(WINDOW_MOMENTS * NODE_BYTES)
  #rootCount = 0
  /** At `beginUndo`. */
  #rootsBefore = 0

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

  /** To be called before leaf `index` is written; it is to be written before the next call of anything here. */
  willWrite(index: number): void {
    this.reserve(index)
    if (this.#logged - this.#hashed === WINDOW_WRITES) this.#rehash()
    if (this.#logged === this.#slots.length) this.#growLog()
    const entry = this.#logged++
    this.#slots[entry] = index
    this.#moments[entry] = this.#moment
    copyNode(this.#words[0]!, index, this.#before, entry)
  }

  /** A copy of leaf `index`; zero beyond the leaves in use. */
  leaf(index: number): Uint8Array {
    if (index >= 2 ** this.#capacityDepth) return new Uint8Array(NODE_BYTES)
    return this.leaves.slice(index * NODE_BYTES, (index + 1) * NODE_BYTES)
  }

  setLeaf(index: number, leaf: Uint8Array): void {
    this.willWrite(index)
    this.leaves.set(leaf, index * NODE_BYTES)
  }

  /** Fills a new tree from leaf 0 on, `leaves` being as long as a whole number of them. */
  fill(leaves: Uint8Array): void {
    const count = leaves.length / NODE_BYTES
    if (count === 0) return
    this.reserve(count - 1)
    this.leaves.set(leaves)
    for (let level = 0; level < this.#capacityDepth; level++) {
      const parents = this.#levels[level + 1]!.subarray(0, Math.ceil(count / 2 ** (level + 1)) * NODE_BYTES)
      hashInto(this.#levels[level]!.subarray(0, parents.length * 2), parents)
    }
    this.#root.set(this.#node(TREE_DEPTH, 0))
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
    return this.#root.slice()
  }

  /** The root as it is now will be wanted, by `takeRoots`: many together cost half. */
  noteRoot(): void {
    if (++this.#moment === WINDOW_MOMENTS) this.#rehash()
  }

  /** The roots noted since they were last taken, 32 bytes each. To be copied before anything else is called. */
  takeRoots(): Uint8Array {
    this.#rehash()
    const roots = this.#roots.subarray(0, this.#rootCount * NODE_BYTES)
    this.#rootCount = 0
    this.#rootsBefore = 0
    return roots
  }

  /** From here on writes are remembered, until `rollBack` takes them back or `keep` lets them stand. Not nested. */
  beginUndo(): void {
    this.#rehash()
    this.#hashed = 0
    this.#logged = 0
    this.#rootsBefore = this.#rootCount
    this.#isUndoable = true
  }

  keep(): void {
    this.#isUndoable = false
  }

  /** The roots noted since are taken back, too. */
  rollBack(): void {
    this.#rehash()
    const writes = this.#logged
    for (let entry = writes - 1; entry >= 0; entry--) {
      copyNode(this.#before, entry, this.#words[0]!, this.#slots[entry]!)
    }
    // The nodes follow as if the same leaves had been written once more, all at one moment.
    this.#moments.fill(0, 0, writes)
    for (let from = 0; from < writes; from += WINDOW_WRITES) {
      this.#hashed = from
      this.#logged = Math.min(writes, from + WINDOW_WRITES)
      this.#rehash()
    }
    this.#hashed = 0
    this.#logged = 0
    this.#rootCount = this.#rootsBefore
    this.#isUndoable = false
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
    if (index > 0) return zeroNodes[level]!
    let node = this.#levels[this.#capacityDepth]!.slice()
    for (let below = this.#capacityDepth; below < level; below++) node = hashPair(node, zeroNodes[below]!)
    return node
  }

  /** Brings nodes and roots to where the log is. */
  #rehash(): void {
    if (this.#logged > this.#hashed) {
      const log = { slots: this.#slots, before: this.#before, moments: this.#moments }
      this.#keepRoots(hashWindow(log, { from: this.#hashed, to: this.#logged }, this.#words, TREE_DEPTH))
    } else if (this.#moment > 0) this.#keepRoots(undefined)
    this.#hashed = this.#logged
    if (!this.#isUndoable) {
      this.#hashed = 0
      this.#logged = 0
    }
    this.#moment = 0
  }

  /** Of every moment noted the last root up to it. */
  #keepRoots(changed: WindowRoots | undefined): void {
    while ((this.#rootCount + this.#moment) * NODE_BYTES > this.#roots.length) {
      this.#roots = copied(this.#roots, new Uint8Array(this.#roots.length * 2))
    }
    let next = 0
    for (let moment = 0; moment <= this.#moment; moment++) {
      if (changed !== undefined && next < changed.count && changed.moments[next] === moment) {
        this.#root.set(changed.roots.subarray(next * NODE_BYTES, (next + 1) * NODE_BYTES))
        next++
      }
      // What comes after the last one noted belongs to the next.
      if (moment < this.#moment) this.#roots.set(this.#root, this.#rootCount++ * NODE_BYTES)
    }
  }

  #growLog(): void {
    const capacity = this.#slots.length * 2
    this.#slots = copied(this.#slots, new Uint32Array(capacity))
    this.#before = copied(this.#before, newNodes(capacity))
    this.#moments = copied(this.#moments, new Uint8Array(capacity))
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

function filledLevel(level: number, nodes: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(LINE_OFFSET + nodes * NODE_BYTES), LINE_OFFSET)
  if (level > 0) for (let i = 0; i < nodes; i++) bytes.set(zeroNodes[level]!, i * NODE_BYTES)
  return bytes
}

function copied<T extends Uint8Array | Uint32Array | BigUint64Array>(from: T, into: T): T {
  into.set(from as never)
  return into
}
