import assert from 'node:assert/strict'
import { test } from 'node:test'
import { concatHex, keccak256, numberToHex, sliceHex, zeroHash } from 'viem'
import {
  entryQueuedAt,
  FIRST_ENTRY_WORD,
  forcedChunkSpan,
  forcedRange,
  nextEntryWord,
  packEntries,
  unpackEntries,
} from '../../protocol/forced.ts'
import { Random } from '../support/generators/random.ts'

const random = new Random(11)
const entry = (queuedAt: number) => ({ record: random.bytes(24), queuedAt })

test('an entry word is 28 bytes of the chain and the time it was queued', () => {
  const first = entry(1_800_000_000)
  const second = entry(1_800_000_012)
  const hex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString('hex')}` as const
  const word1 = nextEntryWord(FIRST_ENTRY_WORD, first)
  const expected1 = sliceHex(keccak256(concatHex([zeroHash, hex(first.record)])), 0, 28)
  assert.equal(word1, concatHex([expected1, numberToHex(1_800_000_000, { size: 4 })]))
  const word2 = nextEntryWord(word1, second)
  const expected2 = sliceHex(keccak256(concatHex([word1, hex(second.record)])), 0, 28)
  assert.equal(word2, concatHex([expected2, numberToHex(1_800_000_012, { size: 4 })]))
  assert.equal(entryQueuedAt(word2), 1_800_000_012)
  assert.equal(entryQueuedAt(FIRST_ENTRY_WORD), 0)
  assert.notEqual(nextEntryWord(FIRST_ENTRY_WORD, { ...first, queuedAt: first.queuedAt + 1 }), word1)
})

test('every entry of a batch is in one forced chunk, in order, and only the last is short', () => {
  for (const chunkRecords of [22, 64]) {
    for (const entries of [0, 1, 21, 22, 23, 64, 65, 191, 192]) {
      const wordAt = (count: bigint) => numberToHex(count, { size: 32 })
      const range = forcedRange({ start: 7n, end: 7n + BigInt(entries), chunkRecords }, wordAt)
      assert.equal(range.forcedStartHash, wordAt(7n))
      assert.equal(range.forcedEndHash, wordAt(range.forcedEnd))
      let next = range.forcedStart
      for (let chunk = 0; chunk < range.forcedChunks; chunk++) {
        const { from, to } = forcedChunkSpan(range, chunk, chunkRecords)
        assert.equal(from, next)
        assert.ok(to > from)
        if (chunk + 1 < range.forcedChunks) assert.equal(to - from, BigInt(chunkRecords))
        next = to
      }
      assert.equal(next, range.forcedEnd)
    }
  }
})

test('packed entries come back, and no half entry does', () => {
  const entries = [entry(0), entry(1_800_000_000), entry(0xffffffff)]
  const bytes = packEntries(entries)
  assert.equal(bytes.length, 84)
  assert.deepEqual(unpackEntries(bytes), entries)
  assert.throws(() => unpackEntries(bytes.subarray(1)), RangeError)
})
