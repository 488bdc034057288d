import { hashInto } from '@chainsafe/hashtree'
import { NODE_BYTES, zeroNodes } from './treeNode.ts'

// The nodes of several moments of a tree, hashed together a level at a time. Hashing for one moment after another, a call takes the
// twenty pairs of a chunk, and one pair near the root: a quarter of a microsecond a call, and half the rate of many pairs at once.
//
// What a level is made from is a list of its changed nodes, each once for every moment at which it changed, by rising index and
// moment. Where nodes of a pair changed at several moments, the pair is gone through moment by moment, and the level itself holds
// what is so far.

/** Writes that are hashed together at most: what is gathered of them stays in the caches. */
export const WINDOW_WRITES = 512
/** Moments that are told apart in one window at most. */
export const WINDOW_MOMENTS = 16
/** Behind all moments. */
const NEVER = 0xff

/** Nodes are copied by 64 bits: by 32, and in a loop, it takes three times as long. */
const NODE_WORDS = 4

/** Writes to leaves in their order. */
export interface WriteLog {
  readonly slots: Uint32Array
  /** What the leaf held before. */
  readonly before: BigUint64Array
  /** After how many roots asked for of the window. */
  readonly moments: Uint8Array
}

interface NodeList {
  readonly indices: Uint32Array
  readonly moments: Uint8Array
}

// Made once, since nothing here is awaited and all trees can share it. A level's list, and its parents', in turns.
const lists = [newList(), newList()] as const
const nodes = new Uint8Array(WINDOW_WRITES * NODE_BYTES)
const pairs = new Uint8Array(WINDOW_WRITES * 2 * NODE_BYTES)
const nodeWords = wordsOf(nodes)
const pairWords = wordsOf(pairs)
const keys = new Uint32Array(WINDOW_WRITES)
const views: { readonly pairs: Uint8Array; readonly nodes: Uint8Array }[] = []

/** What the roots were that a window comes to: read before another window is hashed. */
export interface WindowRoots {
  /** Rising, without those at which nothing had changed. */
  readonly moments: Uint8Array
  readonly count: number
  /** `count` × 32 bytes. */
  readonly roots: Uint8Array
}

/**
 * Hashes what entries `from` … `to` of the log, at most 512, changed in the leaves below `levels`: leaves first, the last of one node.
 * Above it every sibling is a zero node, up to depth `depth`.
 */
export function hashWindow(
  log: WriteLog,
  { from, to }: { from: number; to: number },
  levels: readonly BigUint64Array[],
  depth: number,
): WindowRoots {
  let count = gatherLeaves(log, from, to, levels[0]!)
  const top = levels.length - 1
  for (let level = 0; level < top; level++) {
    count = gatherPairs(levels[level]!, count, lists[level % 2]!, lists[(level + 1) % 2]!)
    hashPairs(count)
  }
  copyNode(nodeWords, count - 1, levels[top]!, 0)
  for (let level = top; level < depth; level++) {
    gatherZeroPairs(count, zeroNodes[level]!)
    hashPairs(count)
  }
  return { moments: lists[top % 2]!.moments, count, roots: nodes }
}

/** The leaves as they were at the end of each moment that wrote them. In the level they go back to what they were before. */
function gatherLeaves(log: WriteLog, from: number, to: number, leaves: BigUint64Array): number {
  const { indices, moments } = lists[0]
  const count = to - from
  for (let i = 0; i < count; i++) keys[i] = log.slots[from + i]! * WINDOW_WRITES + i
  const sorted = keys.subarray(0, count).sort()
  let kept = 0
  for (let i = 0; i < count; ) {
    const slot = Math.floor(sorted[i]! / WINDOW_WRITES)
    const first = from + (sorted[i]! % WINDOW_WRITES)
    let entry = first
    for (let isLast = false; !isLast; ) {
      i++
      isLast = i === count || Math.floor(sorted[i]! / WINDOW_WRITES) !== slot
      const next = isLast ? entry : from + (sorted[i]! % WINDOW_WRITES)
      if (isLast || log.moments[next] !== log.moments[entry]) {
        indices[kept] = slot
        moments[kept] = log.moments[entry]!
        if (isLast) copyNode(leaves, slot, nodeWords, kept)
        else copyNode(log.before, next, nodeWords, kept)
        kept++
      }
      entry = next
    }
    copyNode(log.before, first, leaves, slot)
  }
  return kept
}

/** Puts `count` nodes into their level, and gathers the pairs that their parents are made from; returns how many. */
function gatherPairs(level: BigUint64Array, count: number, from: NodeList, to: NodeList): number {
  const { indices, moments } = from
  let made = 0
  for (let i = 0; i < count; ) {
    const parent = indices[i]! >>> 1
    if (i + 1 === count || indices[i + 1]! >>> 1 !== parent) {
      copyNode(nodeWords, i, level, indices[i]!)
      copyPair(level, parent, made)
      to.indices[made] = parent
      to.moments[made++] = moments[i++]!
      continue
    }
    const [leftNode, rightNode] = [parent * 2, parent * 2 + 1]
    let left = i
    let right = i
    while (right < count && indices[right] === leftNode) right++
    const leftEnd = right
    for (;;) {
      const leftMoment = left < leftEnd ? moments[left]! : NEVER
      const rightMoment = right < count && indices[right] === rightNode ? moments[right]! : NEVER
      const moment = Math.min(leftMoment, rightMoment)
      if (moment === NEVER) break
      if (leftMoment === moment) copyNode(nodeWords, left++, level, leftNode)
      if (rightMoment === moment) copyNode(nodeWords, right++, level, rightNode)
      copyPair(level, parent, made)
      to.indices[made] = parent
      to.moments[made++] = moment
    }
    i = right
  }
  return made
}

function gatherZeroPairs(count: number, zero: Uint8Array): void {
  for (let i = 0; i < count; i++) {
    pairs.set(nodes.subarray(i * NODE_BYTES, (i + 1) * NODE_BYTES), i * 2 * NODE_BYTES)
    pairs.set(zero, (i * 2 + 1) * NODE_BYTES)
  }
}

/** The pairs gathered become nodes of the next level, in their order. */
function hashPairs(count: number): void {
  views[count] ??= {
    pairs: pairs.subarray(0, count * 2 * NODE_BYTES),
    nodes: nodes.subarray(0, count * NODE_BYTES),
  }
  const view = views[count]
  hashInto(view.pairs, view.nodes)
}

export function copyNode(from: BigUint64Array, source: number, to: BigUint64Array, target: number): void {
  const a = source * NODE_WORDS
  const b = target * NODE_WORDS
  to[b] = from[a]!
  to[b + 1] = from[a + 1]!
  to[b + 2] = from[a + 2]!
  to[b + 3] = from[a + 3]!
}

function copyPair(level: BigUint64Array, parent: number, target: number): void {
  const a = parent * 2 * NODE_WORDS
  const b = target * 2 * NODE_WORDS
  pairWords[b] = level[a]!
  pairWords[b + 1] = level[a + 1]!
  pairWords[b + 2] = level[a + 2]!
  pairWords[b + 3] = level[a + 3]!
  pairWords[b + 4] = level[a + 4]!
  pairWords[b + 5] = level[a + 5]!
  pairWords[b + 6] = level[a + 6]!
  pairWords[b + 7] = level[a + 7]!
}

/** Node i lies at words 4·i … 4·i + 3. */
export function wordsOf(bytes: Uint8Array): BigUint64Array {
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8)
}

export function newNodes(count: number): BigUint64Array {
  return new BigUint64Array(count * NODE_WORDS)
}

function newList(): NodeList {
  return { indices: new Uint32Array(WINDOW_WRITES), moments: new Uint8Array(WINDOW_WRITES) }
}
