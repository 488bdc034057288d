import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Hex, keccak256 } from 'viem'
import {
  type BatchHeader,
  DataKind,
  EMPTY_ROOT,
  genesisHeader,
  hashDataWords,
  hashHeader,
} from '../../protocol/batchHeader.ts'
import { naivePair, naiveRoot } from './naiveTree.ts'

const word = (fill: string): Hex => `0x${fill.repeat(32)}`

const header: BatchHeader = {
  lane: 3,
  index: 2n ** 40n,
  parentHash: word('a1'),
  postRoot: `0x${'b2'.repeat(31)}`,
  asOf: 1_700_000_000,
  l1Block: 77n,
  l1Hash: word('c3'),
  forcedStart: 4n,
  forcedStartHash: word('d4'),
  forcedEnd: 5n,
  forcedEndHash: word('e5'),
  dataKind: DataKind.CALLDATA,
  chunkCount: 6,
  forcedChunks: 7,
  dataHash: word('f6'),
  submitter: `0x${'1c'.repeat(20)}`,
}

test('the hash covers sixteen words: numbers and address from the right, bytes31 from the left', () => {
  const number = (n: number | bigint): string => n.toString(16).padStart(64, '0')
  const words = [
    number(3),
    number(2n ** 40n),
    'a1'.repeat(32),
    `${'b2'.repeat(31)}00`,
    number(1_700_000_000),
    number(77),
    'c3'.repeat(32),
    number(4),
    'd4'.repeat(32),
    number(5),
    'e5'.repeat(32),
    number(1),
    number(6),
    number(7),
    'f6'.repeat(32),
    number(BigInt(`0x${'1c'.repeat(20)}`)),
  ]
  assert.equal(hashHeader(header), keccak256(`0x${words.join('')}`))
})

test('every field counts', () => {
  const hashes = new Set([hashHeader(header)])
  const other = genesisHeader(9, 9)
  for (const name of Object.keys(header) as (keyof BatchHeader)[]) {
    const changed = { ...header, [name]: name === 'dataKind' ? DataKind.BLOB : name === 'l1Block' ? 1n : other[name] }
    hashes.add(hashHeader({ ...changed, ...(name === 'forcedChunks' ? { forcedChunks: 1 } : {}) }))
  }
  assert.equal(hashes.size, 1 + Object.keys(header).length)
})

test('a new lane’s root is that of all-zero leaves', () => {
  const tree = naiveRoot(new Map())
  const lane = naivePair(Buffer.alloc(32), Buffer.alloc(32))
  assert.equal(EMPTY_ROOT, `0x${naivePair(naivePair(tree, tree), lane).subarray(0, 31).toString('hex')}`)
  const { postRoot, asOf, lane: id, ...rest } = genesisHeader(5, 1234)
  assert.deepEqual([postRoot, asOf, id], [EMPTY_ROOT, 1234, 5])
  assert.ok(Object.values(rest).every((value) => BigInt(value) === 0n))
})

test('data words are hashed as one string of bytes', () => {
  assert.equal(hashDataWords([word('01'), word('02')]), keccak256(`0x${'01'.repeat(32)}${'02'.repeat(32)}`))
  assert.equal(hashDataWords([]), keccak256('0x'))
})
