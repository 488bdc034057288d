import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type DischargeRecord,
  decodeRecord,
  encodeRecord,
  fieldOutOfRange,
  isEmptyRecord,
} from '../../protocol/record.ts'
import { fc } from '../support/property.ts'

const record = fc.record(
  {
    evse: fc.nat(0xffffffff),
    contract: fc.nat(0xffffffff),
    start: fc.nat(0xffffffff),
    intervals: fc.nat(0xff),
    energyWh: fc.nat(0xffffff),
    meterEndWh: fc.maxSafeNat().map((n) => n % 2 ** 40),
    socDrop: fc.nat(0xffff),
    tempC: fc.nat(0xff),
  },
  { noNullPrototype: true },
)

const WIDTHS = {
  evse: 4,
  contract: 4,
  start: 4,
  intervals: 1,
  energyWh: 3,
  meterEndWh: 5,
  socDrop: 2,
  tempC: 1,
} as const

test('a record is its fields one after another, 24 bytes', () => {
  fc.assert(
    fc.property(record, (value) => {
      const encoded = encodeRecord(value)
      const drawn = Object.entries(WIDTHS)
        .map(([name, bytes]) => value[name as keyof DischargeRecord].toString(16).padStart(bytes * 2, '0'))
        .join('')
      assert.equal(Buffer.from(encoded).toString('hex'), drawn)
      assert.deepEqual(decodeRecord(encoded), value)
    }),
  )
})

test('any 24 bytes are a record, and it encodes to the same bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), fc.nat(8), (bytes, at) => {
      const into = new Uint8Array(40)
      encodeRecord(decodeRecord(bytes), into, at)
      assert.deepEqual(into.slice(at, at + 24), Uint8Array.from(bytes))
      assert.equal(
        isEmptyRecord(into, at),
        bytes.every((byte) => byte === 0),
      )
    }),
  )
  assert.throws(() => decodeRecord(new Uint8Array(23)), RangeError)
  assert.throws(() => decodeRecord(new Uint8Array(30), 7), RangeError)
})

test('no field is truncated', () => {
  fc.assert(
    fc.property(record, fc.constantFrom(...(Object.keys(WIDTHS) as (keyof DischargeRecord)[])), (value, name) => {
      for (const wrong of [-1, 256 ** WIDTHS[name], 0.5, Number.NaN]) {
        const broken = { ...value, [name]: wrong }
        assert.equal(fieldOutOfRange(broken), name)
        assert.throws(() => encodeRecord(broken), RangeError)
      }
    }),
  )
})

test('only all zeros is empty', () => {
  assert.ok(isEmptyRecord(new Uint8Array(24), 0))
  for (let at = 0; at < 24; at++) assert.ok(!isEmptyRecord(new Uint8Array(24).with(at, 1), 0))
})
