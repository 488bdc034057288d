import { createHash } from 'node:crypto'

// The state tree from docs/protocol.md §6 and §15.2 alone, sparse and recursive: what the fast tree is held against.

export const DEPTH = 20

export function naivePair(a: Uint8Array, b: Uint8Array): Buffer {
  return createHash('sha256').update(a).update(b).digest()
}

/** Root over 2^depth leaves of which only those in `leaves` are not zero. */
export function naiveRoot(leaves: ReadonlyMap<number, Uint8Array>, depth = DEPTH, first = 0): Buffer {
  const last = first + 2 ** depth
  const inside = [...leaves.keys()].some((slot) => slot >= first && slot < last)
  if (!inside) return zeroRoot(depth)
  if (depth === 0) return Buffer.from(leaves.get(first)!)
  const middle = first + 2 ** (depth - 1)
  return naivePair(naiveRoot(leaves, depth - 1, first), naiveRoot(leaves, depth - 1, middle))
}

function zeroRoot(depth: number): Buffer {
  let node: Buffer = Buffer.alloc(32)
  for (let level = 0; level < depth; level++) node = naivePair(node, node)
  return node
}

/**
 * The root that a multiproof proves. A plain map of nodes a level; throws for indices that don't rise, missing siblings
 * and leftover ones.
 */
export function naiveMultiproofRoot(
  leaves: readonly (readonly [number, Uint8Array])[],
  siblings: Uint8Array[],
): Buffer {
  const rest = [...siblings]
  let previous = -1
  for (const [slot] of leaves) {
    if (slot <= previous || slot >= 2 ** DEPTH) throw new Error(`slot ${slot} does not rise`)
    previous = slot
  }
  let level = new Map<number, Uint8Array>(leaves)
  for (let depth = 0; depth < DEPTH; depth++) {
    const parents = new Map<number, Uint8Array>()
    for (const index of [...level.keys()].sort((a, b) => a - b)) {
      const parent = Math.floor(index / 2)
      if (parents.has(parent)) continue
      const take = (child: number): Uint8Array => {
        const known = level.get(child) ?? rest.shift()
        if (known === undefined) throw new Error('a sibling is missing')
        return known
      }
      parents.set(parent, naivePair(take(2 * parent), take(2 * parent + 1)))
    }
    level = parents
  }
  if (rest.length > 0) throw new Error(`${rest.length} siblings left over`)
  const root = level.get(0)
  if (root === undefined) throw new Error('no leaves')
  return Buffer.from(root)
}
