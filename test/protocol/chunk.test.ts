import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  BLOB_BYTES,
  CELL_BYTES,
  chunksFor,
  P256_CHUNK_BODY_BYTES,
  P256_CHUNK_BYTES,
  readCalldataChunk,
  readCell,
  writeCell,
} from '../../protocol/chunk.ts'

const root = fc.uint8Array({ minLength: 31, maxLength: 31 })
const body = fc.uint8Array({ maxLength: P256_CHUNK_BODY_BYTES, size: 'max' })

const padded = (bytes: Uint8Array, length: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc(length - bytes.length)])

test('a cell gives back what was written, and its neighbours stay untouched', () => {
  fc.assert(
    fc.property(root, body, fc.integer({ min: 0, max: 63 }), (preRoot, bytes, cell) => {
      const blob = new Uint8Array(BLOB_BYTES)
      writeCell(blob, cell, preRoot, bytes)
      const chunk = readCell(blob.subarray(cell * CELL_BYTES, (cell + 1) * CELL_BYTES))
      assert.deepEqual(Buffer.from(chunk.preRoot), Buffer.from(preRoot))
      assert.deepEqual(Buffer.from(chunk.body), padded(bytes, P256_CHUNK_BODY_BYTES))
      // Every element is below the field's modulus: its top byte is 0.
      for (let at = 0; at < BLOB_BYTES; at += 32) assert.equal(blob[at], 0)
      const others = Buffer.concat([blob.subarray(0, cell * CELL_BYTES), blob.subarray((cell + 1) * CELL_BYTES)])
      assert.ok(others.every((byte) => byte === 0))
    }),
    { numRuns: 30 },
  )
})

test('any 2 048 bytes are a chunk, whatever their top bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: CELL_BYTES, maxLength: CELL_BYTES }), fc.nat(255), (cell, top) => {
      const chunk = readCell(cell)
      const changed = Uint8Array.from(cell, (byte, at) => (at % 32 === 0 ? top : byte))
      assert.deepEqual(readCell(changed), chunk)
      const elements = Buffer.concat(Array.from({ length: 64 }, (_, i) => cell.subarray(i * 32 + 1, i * 32 + 32)))
      assert.deepEqual(Buffer.from(chunk.preRoot), elements.subarray(0, 31))
      assert.deepEqual(Buffer.from(chunk.body), elements.subarray(31, 31 + P256_CHUNK_BODY_BYTES))
    }),
    { numRuns: 30 },
  )
})

test('a calldata chunk is its root and its body, zero-padded', () => {
  fc.assert(
    fc.property(root, body, (preRoot, bytes) => {
      const chunk = readCalldataChunk(Buffer.concat([preRoot, bytes]))
      assert.deepEqual(Buffer.from(chunk.preRoot), Buffer.from(preRoot))
      assert.deepEqual(Buffer.from(chunk.body), padded(bytes, P256_CHUNK_BODY_BYTES))
    }),
    { numRuns: 30 },
  )
  assert.throws(() => readCalldataChunk(new Uint8Array(30)), RangeError)
  assert.throws(() => readCalldataChunk(new Uint8Array(P256_CHUNK_BYTES + 1)), RangeError)
})

test('22 records a chunk', () => {
  assert.deepEqual([0, 1, 22, 23, 44, 45].map(chunksFor), [0, 1, 1, 2, 2, 3])
})
