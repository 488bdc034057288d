import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { bytesToHex, hashTypedData, hexToBytes } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import {
  microBatchDigest,
  type RangeReceipt,
  type Receipt,
  receiptDomain,
  receiptHoldsRow,
  receiptsOfRange,
  recoverReceiptSigner,
} from '../../protocol/receipt.ts'
import { proveRange, ReceiptTree, receiptLeaves, receiptLevels } from '../../protocol/receiptTree.ts'
import { fc } from '../support/property.ts'
import { naivePair } from './naiveTree.ts'

const P256_ROW = 88
const BLS_ROW = 216
const account = privateKeyToAccount(`0x${'1'.padStart(64, '0')}`)
const ROLLUP = '0x00000000000000000000000000000000000000aa'

/** Rows that are all different. */
function rowsOf(count: number, rowBytes: number): Uint8Array {
  const rows = new Uint8Array(count * rowBytes)
  for (let i = 0; i < count; i++) rows.set(createHash('sha512').update(`row ${i}`).digest(), i * rowBytes)
  return rows
}

/** The tree of §15.9, the plain way. */
function naiveTreeRoot(leaves: Buffer[]): Buffer {
  let nodes = leaves
  while (nodes.length & (nodes.length - 1)) nodes.push(Buffer.alloc(32))
  for (; nodes.length > 1; ) nodes = nodes.flatMap((node, i) => (i % 2 === 0 ? [naivePair(node, nodes[i + 1]!)] : []))
  return nodes[0]!
}

function naiveLeaf(row: Uint8Array): Buffer {
  const words = Array.from({ length: Math.ceil(row.length / 32) }, (_, i) => {
    const word = Buffer.alloc(32)
    word.set(row.subarray(32 * i, 32 * i + 32))
    return word
  })
  return naiveTreeRoot(words)
}

function rangeOf(rows: Uint8Array, rowBytes: number, first: number, records: number): RangeReceipt {
  const tree = new ReceiptTree(receiptLeaves(rows, rowBytes))
  const microBatch = { lane: 3, firstPosition: 1_000, count: tree.size, time: 1_800_000_000, root: tree.root }
  const signature = new Uint8Array(65)
  return { ...microBatch, signature, position: 1_000 + first, records, siblings: tree.siblings(first, records) }
}

test('a row’s leaf has four words on a P-256 lane and eight on a BLS lane', () => {
  for (const rowBytes of [P256_ROW, BLS_ROW]) {
    const row = rowsOf(1, rowBytes)
    assert.deepEqual(Buffer.from(receiptLeaves(row, rowBytes)), naiveLeaf(row))
  }
})

test('roots equal the naive tree’s, and every range yields its records’ own paths', () => {
  const range = fc.integer({ min: 1, max: 70 }).chain((size) =>
    fc.integer({ min: 0, max: size - 1 }).chain((first) =>
      fc.record({
        size: fc.constant(size),
        first: fc.constant(first),
        records: fc.integer({ min: 1, max: size - first }),
      }),
    ),
  )
  fc.assert(
    fc.property(range, ({ size, first, records }) => {
      const rows = rowsOf(size, P256_ROW)
      const leaves = receiptLeaves(rows, P256_ROW)
      const tree = new ReceiptTree(leaves)
      const naive = Array.from({ length: size }, (_, i) => naiveLeaf(rows.subarray(i * P256_ROW, (i + 1) * P256_ROW)))
      assert.deepEqual(Buffer.from(tree.root), naiveTreeRoot(naive))
      const own = rows.slice(first * P256_ROW, (first + records) * P256_ROW)
      const receiptAt = receiptsOfRange(rangeOf(rows, P256_ROW, first, records), own, P256_ROW)
      assert.ok(receiptAt !== undefined)
      for (let i = 0; i < records; i++) {
        const receipt: Receipt = receiptAt(i)
        assert.equal(receipt.position, 1_000 + first + i)
        assert.deepEqual(receipt.path, tree.path(first + i))
        assert.equal(receipt.path.length, receiptLevels(size))
        assert.ok(receiptHoldsRow(receipt))
      }
    }),
    { numRuns: 200 },
  )
})

test('no other bytes, place or size pass', () => {
  const size = 13
  const rows = rowsOf(size, P256_ROW)
  for (const [first, records] of [
    [0, 1],
    [3, 5],
    [12, 1],
    [0, 13],
  ] as const) {
    const range = rangeOf(rows, P256_ROW, first, records)
    const own = rows.slice(first * P256_ROW, (first + records) * P256_ROW)
    assert.ok(receiptsOfRange(range, own, P256_ROW) !== undefined)
    for (let at = 0; at < own.length; at += 29) {
      const bent = own.slice()
      bent[at]! ^= 1
      assert.equal(receiptsOfRange(range, bent, P256_ROW), undefined, `byte ${at}`)
    }
    for (const [i, sibling] of range.siblings.entries()) {
      const siblings = range.siblings.map((node, j) => (i === j ? node.map((byte) => byte ^ 1) : node))
      assert.equal(receiptsOfRange({ ...range, siblings }, own, P256_ROW), undefined, `sibling ${i}`)
      assert.equal(sibling.length, 32)
    }
    const wrong: Partial<RangeReceipt>[] = [
      { position: range.position + 1 },
      { position: range.position - 1 },
      { position: 1_000 + size },
      { position: 999 },
      { count: 16 },
      { count: 17 },
      { siblings: [...range.siblings, new Uint8Array(32)] },
      { records: records + 1 },
    ]
    for (const change of wrong) {
      // A tree over 14 to 16 leaves is padded like one over 13: only the signature tells them apart.
      const passes = receiptsOfRange({ ...range, ...change }, own, P256_ROW) !== undefined
      assert.equal(passes, change.count === 16, JSON.stringify(change))
    }
  }
  const twoSwapped = rows.slice()
  twoSwapped.copyWithin(0, P256_ROW, 2 * P256_ROW)
  twoSwapped.set(rows.subarray(0, P256_ROW), P256_ROW)
  assert.equal(receiptsOfRange(rangeOf(rows, P256_ROW, 0, size), twoSwapped, P256_ROW), undefined)
})

test('a range outside the tree, or without records, proves nothing', () => {
  const leaf = new Uint8Array(32)
  assert.equal(proveRange(leaf, { first: 1, size: 1 }, []), undefined)
  assert.equal(proveRange(leaf, { first: -1, size: 1 }, []), undefined)
  assert.equal(proveRange(new Uint8Array(0), { first: 0, size: 1 }, []), undefined)
  assert.equal(proveRange(leaf, { first: 0, size: 2 ** 20 }, []), undefined)
  assert.throws(() => new ReceiptTree(new Uint8Array(0)), RangeError)
})

test('what is signed is the EIP-712 message', async () => {
  const root = new Uint8Array(createHash('sha256').update('root').digest())
  const microBatch = { lane: 0xfffffffe, firstPosition: 2 ** 47, count: 4_096, time: 1_800_000_000, root }
  const digest = microBatchDigest(receiptDomain(31337n, ROLLUP), microBatch)
  const expected = hashTypedData({
    domain: { name: 'Backfeed', version: '1', chainId: 31337, verifyingContract: ROLLUP },
    types: {
      MicroBatch: [
        { name: 'lane', type: 'uint32' },
        { name: 'firstPosition', type: 'uint64' },
        { name: 'count', type: 'uint32' },
        { name: 'time', type: 'uint32' },
        { name: 'root', type: 'bytes32' },
      ],
    },
    primaryType: 'MicroBatch',
    message: { ...microBatch, firstPosition: 2n ** 47n, root: bytesToHex(root) },
  })
  assert.equal(bytesToHex(digest), expected)

  const signature = hexToBytes(await account.sign({ hash: bytesToHex(digest) }))
  assert.equal(recoverReceiptSigner(digest, signature), account.address)
  assert.notEqual(recoverReceiptSigner(root, signature), account.address)
})

test('a signature that L1 would not take has no signer', async () => {
  const digest = new Uint8Array(32).fill(7)
  const signature = hexToBytes(await account.sign({ hash: bytesToHex(digest) }))
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const highS = signature.slice()
  const s = BigInt(bytesToHex(signature.subarray(32, 64)))
  highS.set(hexToBytes(`0x${(order - s).toString(16).padStart(64, '0')}`), 32)
  highS[64] = signature[64]! === 27 ? 28 : 27
  assert.equal(recoverReceiptSigner(digest, highS), undefined)
  for (const v of [0, 1, 26, 29]) {
    const other = signature.slice()
    other[64] = v
    assert.equal(recoverReceiptSigner(digest, other), undefined)
  }
  assert.equal(recoverReceiptSigner(digest, signature.subarray(0, 64)), undefined)
  assert.equal(recoverReceiptSigner(digest, new Uint8Array(65).fill(0, 0, 64).fill(27, 64)), undefined)
})
