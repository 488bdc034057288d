import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { MAX_SLOTS } from '../../protocol/limits.ts'
import { MerkleTree } from '../../protocol/merkleTree.ts'
import { hashPair, zeroNodes } from '../../protocol/treeNode.ts'
import { Random } from '../support/generators/random.ts'
import { fc } from '../support/property.ts'
import { naiveMultiproofRoot, naivePair, naiveRoot } from './naiveTree.ts'

const slot = fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 5_000 }))
const leaf = fc.uint8Array({ minLength: 32, maxLength: 32 })
const writes = fc.array(fc.tuple(slot, leaf), { maxLength: 60 })

function treeOf(leaves: Iterable<readonly [number, Uint8Array]>): MerkleTree {
  const tree = new MerkleTree()
  for (const [index, value] of leaves) tree.setLeaf(index, value)
  return tree
}

test('roots equal the naive tree’s, whenever they are asked for', () => {
  fc.assert(
    fc.property(fc.array(writes, { maxLength: 4 }), (rounds) => {
      const tree = new MerkleTree()
      const leaves = new Map<number, Uint8Array>()
      for (const round of rounds) {
        for (const [index, value] of round) {
          tree.setLeaf(index, value)
          leaves.set(index, value)
        }
        assert.deepEqual(Buffer.from(tree.root()), naiveRoot(leaves))
      }
      for (const [index, value] of leaves) assert.deepEqual(tree.leaf(index), Uint8Array.from(value))
    }),
    { numRuns: 60 },
  )
})

test('more leaves than are hashed together', () => {
  const random = (index: number): Uint8Array => createHash('sha256').update(`leaf ${index}`).digest()
  for (const count of [511, 512, 513, 1_024, 1_100]) {
    // Every second slot: no two leaves share a parent, so that level takes `count` pairs.
    const leaves = new Map(Array.from({ length: count }, (_, i) => [2 * i, random(i)]))
    assert.deepEqual(Buffer.from(treeOf(leaves).root()), denseRoot(leaves), `${count} leaves`)
  }
})

/** The naive root, level by level: the recursive one looks through all leaves at every node. */
function denseRoot(leaves: ReadonlyMap<number, Uint8Array>): Buffer {
  let nodes: Map<number, Uint8Array> = new Map(leaves)
  let zero: Uint8Array = new Uint8Array(32)
  for (let level = 0; level < 20; level++) {
    const parents = new Map<number, Uint8Array>()
    for (const index of nodes.keys()) {
      const left = index & ~1
      parents.set(index >>> 1, naivePair(nodes.get(left) ?? zero, nodes.get(left + 1) ?? zero))
    }
    zero = naivePair(zero, zero)
    nodes = parents
  }
  return Buffer.from(nodes.get(0) ?? zero)
}

/** What is done to a tree. */
const action = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('write'), slot, leaf }) },
  { weight: 4, arbitrary: fc.constant({ kind: 'note' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'root' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'take' } as const) },
)
const actions = fc.array(action, { maxLength: 120 })

/** A tree beside a map of its leaves: `noted` is what `takeRoots` must give. */
class Twin {
  readonly tree = new MerkleTree()
  leaves = new Map<number, Uint8Array>()
  noted: Buffer[] = []

  act(list: readonly ({ kind: string } & Partial<{ slot: number; leaf: Uint8Array }>)[]): void {
    for (const { kind, slot, leaf } of list) {
      if (kind === 'write') {
        this.tree.setLeaf(slot!, leaf!)
        this.leaves.set(slot!, leaf!)
      } else if (kind === 'note') {
        this.tree.noteRoot()
        this.noted.push(denseRoot(this.leaves))
      } else if (kind === 'root') assert.deepEqual(Buffer.from(this.tree.root()), denseRoot(this.leaves))
      else this.takeRoots()
    }
  }

  takeRoots(): void {
    assert.deepEqual(Buffer.from(this.tree.takeRoots()), Buffer.concat(this.noted.splice(0)))
  }
}

test('roots noted are those of their moments, whatever was written since and however the tree grew', () => {
  fc.assert(
    fc.property(actions, (list) => {
      const twin = new Twin()
      twin.act(list)
      twin.takeRoots()
    }),
    { numRuns: 60 },
  )
})

test('the same for more writes, and more moments, than are hashed together', () => {
  const random = new Random(7)
  const twin = new Twin()
  for (const [writes, slots] of [
    [3, 40],
    [22, 5_000],
    [22, 12],
    [700, 900],
    [0, 1],
  ] as const) {
    for (let moment = 0; moment < 20; moment++) {
      const list = Array.from({ length: writes }, () => ({
        kind: 'write',
        slot: random.int(0, slots - 1),
        leaf: random.bytes(32),
      }))
      twin.act([...list, { kind: 'note' }])
    }
  }
  twin.takeRoots()
})

test('rolled back, leaves, nodes and roots noted are as they were; kept, they stand', () => {
  fc.assert(
    fc.property(actions, actions, fc.boolean(), fc.boolean(), actions, (before, during, many, keep, after) => {
      const twin = new Twin()
      twin.act(before)
      const [leaves, noted] = [new Map(twin.leaves), twin.noted.slice()]
      twin.tree.beginUndo()
      twin.act(during)
      // More than a window, over slots that were written in it before.
      if (many) twin.act(Array.from({ length: 1_200 }, (_, i) => writeOf(i % 700)))
      if (keep) twin.tree.keep()
      else {
        twin.tree.rollBack()
        twin.leaves = leaves
        // What was taken meanwhile is not noted any more.
        twin.noted = during.some(({ kind }) => kind === 'take') ? [] : noted
      }
      twin.act([{ kind: 'root' }, ...after])
      twin.takeRoots()
      for (const [index, value] of twin.leaves) assert.deepEqual(twin.tree.leaf(index), Uint8Array.from(value))
    }),
    { numRuns: 60 },
  )
})

function writeOf(slot: number): { kind: string; slot: number; leaf: Uint8Array } {
  return { kind: 'write', slot, leaf: createHash('sha256').update(`${slot}`).digest() }
}

test('a tree that is filled is the one that its leaves were set in', () => {
  for (const count of [0, 1, 2, 15, 16, 17, 33, 1_000]) {
    const leaves = new Uint8Array(count * 32)
    for (let i = 0; i < count; i += 3) leaves.fill(i + 1, i * 32, (i + 1) * 32)
    const filled = new MerkleTree()
    filled.fill(leaves)
    const set = treeOf(Array.from({ length: count }, (_, i) => [i, leaves.subarray(i * 32, (i + 1) * 32)] as const))
    assert.deepEqual(filled.root(), set.root(), `${count} leaves`)
    assert.deepEqual(filled.path(count), set.path(count))
    for (const tree of [filled, set]) tree.setLeaf(7, new Uint8Array(32).fill(9))
    assert.deepEqual(filled.root(), set.root(), `${count} leaves and one more`)
    assert.deepEqual(filled.path(40), set.path(40))
  }
})

test('the order and number of writes to a leaf do not matter', () => {
  fc.assert(
    fc.property(writes, (list) => {
      const last = new Map(list)
      assert.deepEqual(treeOf(list).root(), treeOf([...last].reverse()).root())
    }),
  )
})

test('the last slot of all has a path', () => {
  const value = new Uint8Array(32).fill(9)
  const tree = new MerkleTree()
  tree.reserve(0)
  assert.throws(() => tree.reserve(MAX_SLOTS), RangeError)
  const last = treeOf([[MAX_SLOTS - 1, value]])
  assert.deepEqual(Buffer.from(last.root()), naiveRoot(new Map([[MAX_SLOTS - 1, value]])))
})

test('paths lead from a leaf to the root', () => {
  fc.assert(
    fc.property(writes, slot, (list, index) => {
      const tree = treeOf(list)
      let node: Uint8Array = tree.leaf(index)
      const path = tree.path(index)
      assert.equal(path.length, 20)
      for (const [level, sibling] of path.entries()) {
        node = (index >>> level) % 2 === 0 ? naivePair(node, sibling) : naivePair(sibling, node)
      }
      assert.deepEqual(Buffer.from(node), Buffer.from(tree.root()))
    }),
    { numRuns: 60 },
  )
})

test('multiproofs satisfy a naive verifier, and no other leaf or set of siblings does', () => {
  const chosen = fc.uniqueArray(slot, { minLength: 1, maxLength: 30 }).map((list) => list.sort((a, b) => a - b))
  fc.assert(
    fc.property(writes, chosen, fc.nat(), (list, indices, salt) => {
      const tree = treeOf(list)
      const root = Buffer.from(tree.root())
      const leaves = indices.map((index) => [index, tree.leaf(index)] as const)
      const siblings = tree.multiproof(indices)
      assert.deepEqual(naiveMultiproofRoot(leaves, siblings), root)

      const wrong = leaves.map(([index, value], i) =>
        i === salt % leaves.length
          ? ([index, value.with(salt % 32, value[salt % 32]! ^ 1)] as const)
          : ([index, value] as const),
      )
      assert.notDeepEqual(naiveMultiproofRoot(wrong, siblings), root)
      assert.throws(() => naiveMultiproofRoot(leaves, siblings.slice(1)), /missing/)
      assert.throws(() => naiveMultiproofRoot(leaves, [...siblings, root]), /left over/)
    }),
    { numRuns: 60 },
  )
  assert.throws(() => new MerkleTree().multiproof([]), RangeError)
})

test('the whole tree of neighbours needs siblings only above them', () => {
  const tree = treeOf(Array.from({ length: 16 }, (_, i) => [i, new Uint8Array(32).fill(i + 1)] as const))
  assert.equal(tree.multiproof(Array.from({ length: 16 }, (_, i) => i)).length, 16)
})

test('hashes pairs with SHA-256', () => {
  fc.assert(
    fc.property(leaf, leaf, (a, b) => {
      assert.deepEqual(Buffer.from(hashPair(a, b)), naivePair(a, b))
    }),
  )
  assert.deepEqual(Buffer.from(zeroNodes[20]!), naiveRoot(new Map()))
})
