import { hashInto } from '@chainsafe/hashtree'
import { TREE_DEPTH } from './limits.ts'

export const NODE_BYTES = 32
const pairScratch = new Uint8Array(2 * NODE_BYTES)

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
