import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { emptySidecar, prepareSidecar } from '../../l1/blobTransaction.ts'
import { toHex } from '../../l1/bytes.ts'
import {
  blobToCommitment,
  cellsAndProofs,
  decompressG1,
  evaluationPoint,
  pointProof,
  verifyCellProof,
  verifyPointProof,
  versionedHash,
} from '../../l1/kzg.ts'
import { BLOB_BYTES } from '../../protocol/chunk.ts'

const blob = new Uint8Array(BLOB_BYTES)
for (let i = 0; i < 4096; i++) blob.set([i >> 8, i & 255, 7], i * 32 + 5)

test('a point proof opens just the element it names', async () => {
  const commitment = await blobToCommitment(blob)
  for (const element of [0, 1, 64, 4095]) {
    const opening = await pointProof(blob, element)
    assert.deepEqual(Buffer.from(opening.y), Buffer.from(blob.subarray(element * 32, element * 32 + 32)))
    assert.equal(await verifyPointProof(commitment, opening), true)
    const other = Uint8Array.from(opening.y)
    other[31]! ^= 1
    assert.equal(await verifyPointProof(commitment, { ...opening, y: other }), false)
  }
  assert.throws(() => evaluationPoint(4096), RangeError)
})

test('the first 64 cells are the blob, and their proofs verify', async () => {
  const commitment = await blobToCommitment(blob)
  const { cells, proofs } = await cellsAndProofs(blob)
  assert.deepEqual(Buffer.concat(cells.slice(0, 64)), Buffer.from(blob))
  const cell = { index: 3, bytes: cells[3]!, proof: proofs[3]! }
  assert.equal(await verifyCellProof(commitment, cell), true)
  assert.equal(await verifyCellProof(commitment, { ...cell, proof: proofs[4]! }), false)
})

test('the empty sidecar is what computing gives', async () => {
  const computed = await prepareSidecar([new Uint8Array(BLOB_BYTES)])
  const empty = emptySidecar()
  assert.deepEqual(empty.commitments.map(toHex), computed.commitments.map(toHex))
  assert.deepEqual(empty.cellProofs.map(toHex), computed.cellProofs.map(toHex))
  // Known from EIP-4844's tests.
  assert.equal(empty.versionedHashes[0], '0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014')
})

test('decompression gives affine coordinates, zeros for infinity, and refuses what is no point', async () => {
  const commitment = await blobToCommitment(blob)
  const affine = decompressG1(commitment)
  const point = bls12_381.G1.Point.fromAffine({
    x: BigInt(toHex(affine.subarray(0, 48))),
    y: BigInt(toHex(affine.subarray(48))),
  })
  point.assertValidity()
  assert.deepEqual(Buffer.from(point.toBytes(true)), Buffer.from(commitment))
  assert.ok(decompressG1(emptySidecar().commitments[0]!).every((byte) => byte === 0))
  assert.throws(() => decompressG1(new Uint8Array(48).fill(0x81)))
  assert.throws(() => versionedHash(new Uint8Array(47)), RangeError)
})
