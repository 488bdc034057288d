import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keccak256 } from 'viem'
import { splitBlobs } from '../../../l1/derive/batchData.ts'
import { splitCalldata } from '../../../l1/derive/calldata.ts'
import { readCalldataChunk, readCell } from '../../../protocol/chunk.ts'
import { writeBlobs, writeCalldata } from '../../../sequencer/batch/chunks.ts'
import { Random } from '../../support/generators/random.ts'
import { hex } from '../localLane.ts'
import { P256_LAYOUT } from '../../../protocol/scheme.ts'

function someBatch(rowCount: number) {
  const random = new Random(rowCount)
  const chunks = Math.ceil(rowCount / 22)
  return {
    rows: random.bytes(rowCount * 88),
    preRoots: Array.from({ length: chunks }, () => random.bytes(31)),
  }
}

for (const rowCount of [1, 21, 22, 23, 1_408, 1_409, 3_000]) {
  test(`a batch of ${rowCount} rows reads back as it was laid out, from blobs and from calldata`, () => {
    const batch = someBatch(rowCount)
    const chunkCount = batch.preRoots.length
    const blobs = writeBlobs(batch)
    assert.ok(blobs.every((blob) => blob.every((byte, i) => i % 32 !== 0 || byte === 0)))
    const { data, dataWords } = writeCalldata(batch)
    const pieces = splitCalldata(P256_LAYOUT, data, { chunkCount, forcedChunks: 0 })
    assert.deepEqual(
      pieces.map((piece) => keccak256(piece)),
      dataWords,
    )
    for (const chunks of [
      splitBlobs(blobs, chunkCount).map((cell) => readCell(P256_LAYOUT, cell)),
      pieces.map((piece) => readCalldataChunk(P256_LAYOUT, piece)),
    ]) {
      assert.deepEqual(
        chunks.map((chunk) => hex(chunk.preRoot)),
        batch.preRoots.map(hex),
      )
      const body = Buffer.concat(chunks.map((chunk) => chunk.body))
      assert.equal(hex(body.subarray(0, batch.rows.length)), hex(batch.rows))
      assert.ok(body.subarray(batch.rows.length).every((byte) => byte === 0))
    }
  })
}

for (const [forcedChunks, rowCount] of [
  [9, 0],
  [9, 30],
  [60, 200],
] as const) {
  test(`${forcedChunks} forced chunks hold their pre-root alone, before ${rowCount} rows`, () => {
    const { rows, preRoots } = someBatch(rowCount)
    const random = new Random(forcedChunks)
    const all = [...Array.from({ length: forcedChunks }, () => random.bytes(31)), ...preRoots]
    const batch = { rows, preRoots: all, forcedChunks }
    const cells = splitBlobs(writeBlobs(batch), all.length).map((cell) => readCell(P256_LAYOUT, cell))
    const { data, dataWords } = writeCalldata(batch)
    const pieces = splitCalldata(P256_LAYOUT, data, { chunkCount: all.length, forcedChunks })
    assert.deepEqual(
      pieces.map((piece) => keccak256(piece)),
      dataWords,
    )
    assert.ok(pieces.slice(0, forcedChunks).every((piece) => piece.length === 31))
    for (const chunks of [cells, pieces.map((piece) => readCalldataChunk(P256_LAYOUT, piece))]) {
      assert.deepEqual(
        chunks.map((chunk) => hex(chunk.preRoot)),
        all.map(hex),
      )
      assert.ok(chunks.slice(0, forcedChunks).every(({ body }) => body.every((byte) => byte === 0)))
      const body = Buffer.concat(chunks.slice(forcedChunks).map((chunk) => chunk.body))
      assert.equal(hex(body.subarray(0, rows.length)), hex(rows))
    }
  })
}

test('a batch that holds nothing is a chunk of padding', () => {
  const [preRoot] = someBatch(1).preRoots
  const batch = { rows: new Uint8Array(0), preRoots: [preRoot!] }
  assert.equal(hex(writeCalldata(batch).data), hex(preRoot!))
  const [cell] = splitBlobs(writeBlobs(batch), 1).map((bytes) => readCell(P256_LAYOUT, bytes))
  assert.ok(cell!.body.every((byte) => byte === 0))
})

test('rows and pre-roots that do not belong together make no batch', () => {
  const batch = someBatch(23)
  assert.throws(() => writeBlobs({ ...batch, preRoots: batch.preRoots.slice(1) }), RangeError)
  assert.throws(() => writeCalldata({ rows: new Uint8Array(0), preRoots: [] }), RangeError)
})
