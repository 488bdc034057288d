import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  BLOB_BYTES,
  bodyRecords,
  CELL_BYTES,
  chunksFor,
  readCalldataChunk,
  readCell,
  writeCell,
} from '../../protocol/chunk.ts'
import { BLS_LAYOUT, P256_LAYOUT } from '../../protocol/scheme.ts'
import { fc } from '../support/property.ts'

const root = fc.uint8Array({ minLength: 31, maxLength: 31 })

const padded = (bytes: Uint8Array, length: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc(length - bytes.length)])

for (const layout of [P256_LAYOUT, BLS_LAYOUT]) {
  const body = fc.uint8Array({ maxLength: layout.bodyBytes, size: 'max' })

  test(`${layout.name}: a cell gives back what was written, and its neighbours stay untouched`, () => {
    fc.assert(
      fc.property(root, body, fc.integer({ min: 0, max: 63 }), (preRoot, bytes, cell) => {
        const blob = new Uint8Array(BLOB_BYTES)
        writeCell(blob, cell, preRoot, bytes)
        const chunk = readCell(layout, blob.subarray(cell * CELL_BYTES, (cell + 1) * CELL_BYTES))
        assert.deepEqual(Buffer.from(chunk.preRoot), Buffer.from(preRoot))
        assert.deepEqual(Buffer.from(chunk.body), padded(bytes, layout.bodyBytes))
        // Every element is below the field's modulus: its top byte is 0.
        for (let at = 0; at < BLOB_BYTES; at += 32) assert.equal(blob[at], 0)
        const others = Buffer.concat([blob.subarray(0, cell * CELL_BYTES), blob.subarray((cell + 1) * CELL_BYTES)])
        assert.ok(others.every((byte) => byte === 0))
      }),
      { numRuns: 30 },
    )
  })

  test(`${layout.name}: any 2 048 bytes are a chunk, whatever their top bytes`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: CELL_BYTES, maxLength: CELL_BYTES }), fc.nat(255), (cell, top) => {
        const chunk = readCell(layout, cell)
        const changed = Uint8Array.from(cell, (byte, at) => (at % 32 === 0 ? top : byte))
        assert.deepEqual(readCell(layout, changed), chunk)
        const elements = Buffer.concat(Array.from({ length: 64 }, (_, i) => cell.subarray(i * 32 + 1, i * 32 + 32)))
        assert.deepEqual(Buffer.from(chunk.preRoot), elements.subarray(0, 31))
        assert.deepEqual(Buffer.from(chunk.body), elements.subarray(31, 31 + layout.bodyBytes))
      }),
      { numRuns: 30 },
    )
  })

  test(`${layout.name}: a calldata chunk is its root and its body, zero-padded`, () => {
    fc.assert(
      fc.property(root, body, (preRoot, bytes) => {
        const chunk = readCalldataChunk(layout, Buffer.concat([preRoot, bytes]))
        assert.deepEqual(Buffer.from(chunk.preRoot), Buffer.from(preRoot))
        assert.deepEqual(Buffer.from(chunk.body), padded(bytes, layout.bodyBytes))
      }),
      { numRuns: 30 },
    )
    assert.throws(() => readCalldataChunk(layout, new Uint8Array(30)), RangeError)
    assert.throws(() => readCalldataChunk(layout, new Uint8Array(layout.chunkBytes + 1)), RangeError)
  })

  test(`${layout.name}: the records of a body are found in it, and one that is short is read as if zero-padded`, () => {
    const body = Uint8Array.from({ length: layout.bodyBytes }, (_, i) => 1 + (i % 255))
    const whole = bodyRecords(layout, body)
    assert.equal(whole.bytes, body)
    assert.equal(whole.at + whole.count * whole.stride, layout.bodyBytes)
    const cut = bodyRecords(layout, body.subarray(0, layout.headBytes + 30))
    assert.deepEqual(Buffer.from(cut.bytes), padded(body.subarray(0, layout.headBytes + 30), layout.bodyBytes))
    assert.deepEqual({ ...cut, bytes: undefined }, { ...whole, bytes: undefined })
  })
}

test('22 P-256 records a chunk, 64 BLS records', () => {
  const chunks = (layout: typeof P256_LAYOUT, records: number[]): number[] => records.map((n) => chunksFor(layout, n))
  assert.deepEqual(chunks(P256_LAYOUT, [0, 1, 22, 23, 44, 45]), [0, 1, 1, 2, 2, 3])
  assert.deepEqual(chunks(BLS_LAYOUT, [0, 1, 64, 65, 128, 129]), [0, 1, 1, 2, 2, 3])
})
