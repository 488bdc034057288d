import assert from 'node:assert/strict'
import { test } from 'node:test'
import { getAddress } from 'viem'
import type { RangeReceipt, Receipt } from '../../protocol/receipt.ts'
import { parseReceiptJson, rangeReceiptJson, receiptJson } from '../../protocol/receiptJson.ts'
import {
  decodeReceipts,
  encodeReceipts,
  MAX_ANSWER_RECEIPT_BYTES,
  MAX_ANSWER_RECEIPTS,
} from '../../protocol/receiptWire.ts'
import { fc } from '../support/property.ts'

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const position = fc.integer({ min: 0, max: 2 ** 48 - 1 })
const range: fc.Arbitrary<RangeReceipt> = fc.record({
  lane: fc.constant(7),
  firstPosition: position,
  count: u32,
  time: u32,
  root: bytes(32),
  signature: bytes(65),
  position,
  records: fc.integer({ min: 0, max: 1_024 }),
  siblings: fc.array(bytes(32), { maxLength: 32 }),
})

test('receipts of an answer survive the round trip', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: MAX_ANSWER_RECEIPTS }), (receipts) => {
      const encoded = encodeReceipts(receipts)
      assert.ok(encoded.length <= MAX_ANSWER_RECEIPT_BYTES)
      assert.deepEqual(
        decodeReceipts(encoded, 7),
        receipts.map((receipt) => ({ ...receipt })),
      )
    }),
  )
})

test('what is no list of receipts is undefined, and never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (garbage) => {
      decodeReceipts(garbage, 7)
    }),
  )
  const [one] = fc.sample(range, 1)
  const encoded = encodeReceipts([one!])
  assert.equal(decodeReceipts(encoded.subarray(0, -1), 7), undefined)
  assert.equal(decodeReceipts(Buffer.concat([encoded, new Uint8Array(1)]), 7), undefined)
  assert.equal(decodeReceipts(encodeReceipts(Array(MAX_ANSWER_RECEIPTS + 1).fill(one)), 7), undefined)
  const tooDeep = { ...one!, siblings: Array.from({ length: 33 }, () => new Uint8Array(32)) }
  assert.equal(decodeReceipts(encodeReceipts([tooDeep]), 7), undefined)
})

const receipt: Receipt = {
  lane: 1,
  firstPosition: 2 ** 40,
  count: 3,
  time: 1_800_000_000,
  root: new Uint8Array(32).fill(1),
  signature: new Uint8Array(65).fill(2),
  position: 2 ** 40 + 2,
  row: new Uint8Array(88).fill(3),
  path: [new Uint8Array(32).fill(4), new Uint8Array(32).fill(5)],
}
const file = { chainId: 31337, rollup: getAddress(`0x${'ab'.repeat(20)}`), receipt }

test('a receipt’s JSON survives the round trip, and names the field that is wrong', () => {
  const json = receiptJson(file) as Record<string, unknown>
  assert.deepEqual(parseReceiptJson(JSON.stringify(json)), file)
  const refused: [Record<string, unknown>, RegExp][] = [
    [{ ...json, lane: -1 }, /lane/],
    [{ ...json, time: '1' }, /time/],
    [{ ...json, row: '0x00' }, /row/],
    [{ ...json, root: `0x${'zz'.repeat(32)}` }, /root/],
    [{ ...json, path: [json.root, '0x12'] }, /path\[1\]/],
    [{ ...json, rollup: '0x12' }, /rollup/],
    [{ ...json, note: 1 }, /unknown field note/],
  ]
  for (const [body, message] of refused) assert.throws(() => parseReceiptJson(JSON.stringify(body)), message)
  for (const text of ['', '[]', 'null', '3']) assert.throws(() => parseReceiptJson(text), RangeError)
  const { row, path, ...micro } = receipt
  const written = rangeReceiptJson({ ...micro, records: 1, siblings: path })
  assert.equal(Object.values(written).filter((value) => value instanceof Uint8Array).length, 0)
  assert.equal(row.length, 88)
})
