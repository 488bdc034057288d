import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_BYTES } from '../../protocol/laneState.ts'
import { CELL_ELEMENTS } from '../../protocol/limits.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import {
  BLS_LAYOUT,
  layoutByDescriptorBytes,
  layoutByKeyBytes,
  P256_LAYOUT,
  Scheme,
  schemeLayout,
} from '../../protocol/scheme.ts'

// The figures of docs/protocol.md §7, §15.1, §15.3 and §15.5, worked out by hand.

test('P-256 lanes', () => {
  assert.deepEqual(
    { ...P256_LAYOUT },
    {
      scheme: 0,
      name: 'P-256',
      keyBytes: 64,
      evseDescriptorBytes: 85,
      signatureBytes: 64,
      rowBytes: 88,
      chunkRecords: 22,
      headBytes: 0,
      recordStride: 88,
      bodyBytes: 1_936,
      chunkBytes: 1_967,
      blobRecords: 1_408,
    },
  )
  assert.equal(P256_LAYOUT.rowBytes, SIGNED_RECORD_BYTES)
})

test('BLS lanes', () => {
  assert.deepEqual(
    { ...BLS_LAYOUT },
    {
      scheme: 1,
      name: 'BLS12-381',
      keyBytes: 128,
      evseDescriptorBytes: 149,
      signatureBytes: 192,
      rowBytes: 216,
      chunkRecords: 64,
      headBytes: 192,
      recordStride: 24,
      bodyBytes: 1_728,
      chunkBytes: 1_759,
      blobRecords: 4_096,
    },
  )
})

test('a body fits into the elements of a cell after its root', () => {
  for (const { bodyBytes } of [P256_LAYOUT, BLS_LAYOUT]) assert.ok(bodyBytes <= (CELL_ELEMENTS - 1) * ROOT_BYTES)
})

test('a scheme is found by its number and by what lengths give away, and no other is', () => {
  assert.equal(schemeLayout(Scheme.P256), P256_LAYOUT)
  assert.equal(schemeLayout(Scheme.BLS), BLS_LAYOUT)
  assert.throws(() => schemeLayout(2), RangeError)
  assert.equal(layoutByKeyBytes(64), P256_LAYOUT)
  assert.equal(layoutByKeyBytes(128), BLS_LAYOUT)
  assert.equal(layoutByKeyBytes(96), undefined)
  assert.equal(layoutByDescriptorBytes(85), P256_LAYOUT)
  assert.equal(layoutByDescriptorBytes(149), BLS_LAYOUT)
  assert.equal(layoutByDescriptorBytes(148), undefined)
})
