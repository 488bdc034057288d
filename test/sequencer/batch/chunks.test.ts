import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keccak256 } from 'viem'
import { splitBlobs } from '../../../l1/derive/batchData.ts'
import { splitCalldata } from '../../../l1/derive/calldata.ts'
import { readCalldataChunk, readCell } from '../../../protocol/chunk.ts'
import { parseL1Signature, verifyBlsAggregate, parseBlsKey } from '../../../protocol/bls.ts'
import { recordMessage } from '../../../protocol/domain.ts'
import { BLS_LAYOUT, P256_LAYOUT } from '../../../protocol/scheme.ts'
import { writeBlobs, writeCalldata } from '../../../sequencer/batch/chunks.ts'
import { Random } from '../../support/generators/random.ts'
import { chunkBody } from '../../support/chunkBody.ts'
import { hex, localFleet } from '../localLane.ts'
import { rootsOf } from '../support/roots.ts'

function someBatch(rowCount: number) {
  const random = new Random(rowCount)
  const chunks = Math.ceil(rowCount / 22)
  return {
    layout: P256_LAYOUT,
    summed: new Uint8Array(),
    rows: random.bytes(rowCount * 88),
    preRoots: random.bytes(chunks * 31),
  }
}

for (const rowCount of [1, 21, 22, 23, 1_408, 1_409, 3_000]) {
  test(`a batch of ${rowCount} rows reads back as it was laid out, from blobs and from calldata`, () => {
    const batch = someBatch(rowCount)
    const chunkCount = batch.preRoots.length / 31
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
        rootsOf(batch).map(hex),
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
    const batch = {
      ...someBatch(rowCount),
      rows,
      preRoots: Buffer.concat([random.bytes(forcedChunks * 31), preRoots]),
      forcedChunks,
    }
    const all = rootsOf(batch)
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
  const { preRoots } = someBatch(1)
  const batch = { ...someBatch(0), preRoots }
  assert.equal(hex(writeCalldata(batch).data), hex(preRoots))
  const [cell] = splitBlobs(writeBlobs(batch), 1).map((bytes) => readCell(P256_LAYOUT, bytes))
  assert.ok(cell!.body.every((byte) => byte === 0))
})

test('a BLS batch has one sum a chunk, over the signatures that count, the same in blobs and calldata', () => {
  const random = new Random(5)
  const fleet = localFleet(10, BLS_LAYOUT)
  const rows = fleet.rows(70)
  const row = (i: number): Uint8Array => rows.subarray(i * 216, (i + 1) * 216)
  const summed = new Uint8Array(70).fill(1)
  summed[3] = 0
  summed[69] = 0
  const preRoots = random.bytes(62)
  const batch = { layout: BLS_LAYOUT, rows, preRoots, summed }
  const { data, dataWords } = writeCalldata(batch)
  const pieces = splitCalldata(BLS_LAYOUT, data, { chunkCount: 2, forcedChunks: 0 })
  assert.deepEqual(
    pieces.map((piece) => keccak256(piece)),
    dataWords,
  )
  const chunks = pieces.map((piece) => readCalldataChunk(BLS_LAYOUT, piece))
  const cells = splitBlobs(writeBlobs(batch), 2).map((cell) => readCell(BLS_LAYOUT, cell))
  for (const [k, chunk] of chunks.entries()) {
    assert.equal(hex(chunk.preRoot), hex(rootsOf(batch)[k]!))
    assert.equal(hex(cells[k]!.body), hex(chunk.body))
    const places = Array.from({ length: k === 0 ? 64 : 6 }, (_, i) => k * 64 + i)
    const records = Buffer.concat(places.map((i) => row(i).subarray(0, 24)))
    assert.equal(hex(chunk.body.subarray(192, 192 + records.length)), hex(records))
    const counted = places.filter((i) => summed[i] === 1)
    assert.equal(hex(chunk.body.subarray(0, 192)), hex(chunkBody(BLS_LAYOUT, counted.map(row)).subarray(0, 192)))
    const judge = (of: readonly number[]): boolean =>
      verifyBlsAggregate(
        of.map((i) => parseBlsKey(fleet.keys[i % 10]!.publicKey)),
        of.map((i) =>
          recordMessage(fleet.domain, row(i).subarray(0, 24), 487_000_000 + (i % 10), 91_000_000 + (i % 10)),
        ),
        parseL1Signature(chunk.body.subarray(0, 192)),
      )
    assert.equal(judge(counted), true)
    assert.equal(judge(places), false)
  }
})

test('sums that came back from L1 are laid out as they are', () => {
  const random = new Random(6)
  const rows = new Uint8Array(65 * 216)
  for (let i = 0; i < 65; i++) rows.set(random.bytes(24), i * 216)
  const aggregates = random.bytes(2 * 192)
  const preRoots = random.bytes(62)
  const { data } = writeCalldata({ layout: BLS_LAYOUT, rows, preRoots, summed: new Uint8Array(65).fill(1), aggregates })
  const pieces = splitCalldata(BLS_LAYOUT, data, { chunkCount: 2, forcedChunks: 0 })
  assert.deepEqual(
    pieces.map((piece) => hex(piece.subarray(31, 31 + 192))),
    [hex(aggregates.subarray(0, 192)), hex(aggregates.subarray(192))],
  )
})

test('rows and pre-roots that do not belong together make no batch', () => {
  const batch = someBatch(23)
  assert.throws(() => writeBlobs({ ...batch, preRoots: batch.preRoots.slice(31) }), RangeError)
  assert.throws(() => writeCalldata({ ...batch, rows: new Uint8Array(0), preRoots: new Uint8Array() }), RangeError)
})
