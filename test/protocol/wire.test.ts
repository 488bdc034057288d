import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { BLS_LAYOUT, P256_LAYOUT } from '../../protocol/scheme.ts'
import {
  AnswerStatus,
  countRows,
  DUPLICATE,
  decodeAnswer,
  decodeRequest,
  encodeAnswerFrame,
  encodeRequestFrame,
  FRAME_PREFIX_BYTES,
  FrameReader,
  MAX_REQUEST_FRAME_BYTES,
  MAX_REQUEST_RECORDS,
  RESULT_BYTES,
  type RecordAnswer,
  readResult,
  requestIdOf,
  writeResult,
} from '../../protocol/wire.ts'
import { fc } from '../support/property.ts'

const u32 = fc.nat(0xffffffff)

function bytesOf(unit: number, maxUnits: number): fc.Arbitrary<Uint8Array> {
  return fc
    .integer({ min: 1, max: maxUnits })
    .chain((units) => fc.uint8Array({ minLength: units * unit, maxLength: units * unit }))
}

/** Cuts at the given places, anywhere. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

test('frames come out whole and in order, wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      (payloads, places) => {
        const stream = join(
          payloads.map((payload) => {
            const prefix = new Uint8Array(FRAME_PREFIX_BYTES)
            new DataView(prefix.buffer).setUint32(0, payload.length)
            return join([prefix, payload])
          }),
        )
        const reader = new FrameReader(300)
        const out: Uint8Array[] = []
        for (const piece of cut(stream, places)) {
          reader.push(piece)
          for (let frame = reader.takeFrame(); frame !== undefined; frame = reader.takeFrame()) {
            assert.notEqual(frame, 'BAD_LENGTH')
            out.push(frame as Uint8Array)
          }
        }
        assert.deepEqual(out, payloads)
        assert.equal(reader.pendingBytes, 0)
      },
    ),
  )
})

test('a truncated frame is never handed out', () => {
  fc.assert(
    fc.property(u32, u32, bytesOf(SIGNED_RECORD_BYTES, 4), fc.nat(), (requestId, lane, rows, at) => {
      const frame = encodeRequestFrame({ requestId, lane, rows })
      const reader = new FrameReader(MAX_REQUEST_FRAME_BYTES)
      reader.push(frame.subarray(0, at % frame.length))
      assert.equal(reader.takeFrame(), undefined)
    }),
  )
})

test('a length of zero or above the maximum is refused for good, before its bytes arrive', () => {
  for (const length of [0, 101, 0x80000000, 0xffffffff]) {
    const reader = new FrameReader(100)
    const prefix = new Uint8Array(4)
    new DataView(prefix.buffer).setUint32(0, length)
    reader.push(prefix)
    assert.equal(reader.takeFrame(), 'BAD_LENGTH')
    reader.push(new Uint8Array(200))
    assert.equal(reader.takeFrame(), 'BAD_LENGTH')
  }
})

test('requests and answers survive the round trip', () => {
  const results = fc.record({
    requestId: u32,
    status: fc.constant(AnswerStatus.RESULTS),
    results: bytesOf(RESULT_BYTES, 5),
    receipts: fc.uint8Array({ maxLength: 50 }),
  })
  const refusal = fc.record({ requestId: u32, status: fc.constantFrom(1 as const, 2, 3, 4), retryAfterMs: u32 })
  fc.assert(
    fc.property(
      u32,
      u32,
      bytesOf(SIGNED_RECORD_BYTES, 5),
      fc.oneof(results, refusal),
      (requestId, lane, rows, answer) => {
        const request = decodeRequest(encodeRequestFrame({ requestId, lane, rows }).subarray(FRAME_PREFIX_BYTES))
        assert.deepEqual(request, { requestId, lane, rows })
        const decoded = decodeAnswer(encodeAnswerFrame(answer as RecordAnswer).subarray(FRAME_PREFIX_BYTES))
        assert.deepEqual(decoded, { ...answer })
      },
    ),
  )
})

test('what is no request or no answer is undefined, and never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (payload) => {
      const request = decodeRequest(payload)
      assert.equal(request !== undefined, payload.length > 8)
      decodeAnswer(payload)
      requestIdOf(payload)
    }),
  )
  assert.equal(decodeRequest(new Uint8Array(MAX_REQUEST_FRAME_BYTES + 1)), undefined)
  assert.equal(decodeAnswer(Uint8Array.of(0, 0, 0, 1, 0, 0, 1, 3)), undefined)
  assert.equal(decodeAnswer(Uint8Array.of(0, 0, 0, 1, 0, 0)), undefined)
  assert.equal(decodeAnswer(new Uint8Array(64)), undefined)
  assert.equal(decodeAnswer(Uint8Array.of(0, 0, 0, 1, 5, 0, 0, 0, 0)), undefined)
})

test('rows are counted by the lane’s scheme, 1 to 1 024 whole ones', () => {
  for (const layout of [P256_LAYOUT, BLS_LAYOUT]) {
    const { rowBytes } = layout
    for (const count of [1, 2, MAX_REQUEST_RECORDS]) {
      assert.equal(countRows(layout, new Uint8Array(count * rowBytes)), count)
    }
    for (const length of [0, rowBytes - 1, rowBytes + 1, (MAX_REQUEST_RECORDS + 1) * rowBytes]) {
      assert.equal(countRows(layout, new Uint8Array(length)), undefined)
    }
    assert.ok(MAX_REQUEST_RECORDS * rowBytes + 8 <= MAX_REQUEST_FRAME_BYTES)
  }
})

test('results keep position and amount to their full width; unknown codes are refused', () => {
  const bytes = new Uint8Array(RESULT_BYTES * 2)
  const result = { code: DUPLICATE, position: 2 ** 48 - 1, amountMicro: Number.MAX_SAFE_INTEGER } as const
  writeResult(bytes, RESULT_BYTES, result)
  assert.deepEqual(readResult(bytes, RESULT_BYTES), result)
  bytes[0] = 13
  assert.throws(() => readResult(bytes, 0), RangeError)
})
