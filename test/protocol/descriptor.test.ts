import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keccak256 } from 'viem'
import {
  decodeContractDescriptor,
  decodeEvseDescriptor,
  encodeContractDescriptor,
  encodeEvseDescriptor,
  slotWord,
} from '../../protocol/descriptor.ts'
import { fc } from '../support/property.ts'

const key = fc.uint8Array({ minLength: 64, maxLength: 64 }).map((bytes) => Uint8Array.from(bytes).with(0, 1))
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const hex = (n: number | bigint, bytes: number): string => n.toString(16).padStart(bytes * 2, '0')

test('EVSE descriptors are 85 bytes as drawn in §15.1', () => {
  const evse = fc.record(
    {
      key,
      ratedW: fc.integer({ min: 1, max: 0xffffff }),
      lat: fc.integer(),
      lon: fc.integer(),
      radiusM: fc.nat(0xffff),
      depositMicro: u64,
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(evse, (value) => {
      const bytes = encodeEvseDescriptor(value)
      const drawn = [
        Buffer.from(value.key).toString('hex'),
        hex(value.ratedW, 3),
        hex(value.lat >>> 0, 4),
        hex(value.lon >>> 0, 4),
        hex(value.radiusM, 2),
        hex(value.depositMicro, 8),
      ]
      assert.equal(Buffer.from(bytes).toString('hex'), drawn.join(''))
      assert.deepEqual(decodeEvseDescriptor(bytes), value)
    }),
  )
})

test('contract descriptors are 77 bytes as drawn in §15.1', () => {
  const contract = fc.record(
    {
      vehicle: u64,
      incentiveBps: fc.nat(0xffff),
      capacityWh: fc.integer({ min: 1, max: 0xfffff }),
      vehicleKey: fc.option(key, { nil: undefined }),
    },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(contract, (value) => {
      const bytes = encodeContractDescriptor(value)
      const drawn = [
        hex(value.vehicle, 8),
        hex(value.incentiveBps, 2),
        hex(value.capacityWh, 3),
        Buffer.from(value.vehicleKey ?? new Uint8Array(64)).toString('hex'),
      ]
      assert.equal(Buffer.from(bytes).toString('hex'), drawn.join(''))
      assert.deepEqual(decodeContractDescriptor(bytes), value)
    }),
  )
})

test('what L1 would refuse does not encode', () => {
  const evse = { key: new Uint8Array(64), ratedW: 1, lat: 0, lon: 0, radiusM: 0, depositMicro: 0n }
  assert.throws(() => encodeEvseDescriptor({ ...evse, ratedW: 0 }), RangeError)
  assert.throws(() => encodeEvseDescriptor({ ...evse, ratedW: 2 ** 24 }), RangeError)
  assert.throws(() => encodeEvseDescriptor({ ...evse, key: new Uint8Array(65) }), RangeError)
  const contract = { vehicle: 0n, incentiveBps: 0, capacityWh: 1, vehicleKey: undefined }
  assert.throws(() => encodeContractDescriptor({ ...contract, capacityWh: 0 }), RangeError)
  assert.throws(() => encodeContractDescriptor({ ...contract, capacityWh: 2 ** 20 }), RangeError)
  assert.throws(() => decodeEvseDescriptor(new Uint8Array(84)), RangeError)
  assert.throws(() => decodeContractDescriptor(new Uint8Array(78)), RangeError)
})

test('fields that do not fit their width do not encode', () => {
  const evse = { key: new Uint8Array(64), ratedW: 1, lat: 0, lon: 0, radiusM: 0, depositMicro: 0n }
  assert.throws(() => encodeEvseDescriptor({ ...evse, radiusM: 0x10000 }), RangeError)
  assert.throws(() => encodeEvseDescriptor({ ...evse, depositMicro: 2n ** 64n }), RangeError)
  assert.throws(() => encodeEvseDescriptor({ ...evse, depositMicro: -1n }), RangeError)
  assert.throws(() => encodeEvseDescriptor({ ...evse, lat: 2 ** 31 }), RangeError)
  assert.throws(() => encodeEvseDescriptor({ ...evse, lon: 0.5 }), RangeError)
  assert.throws(() => encodeEvseDescriptor({ ...evse, ratedW: 1.5 }), RangeError)
  const contract = { vehicle: 0n, incentiveBps: 0, capacityWh: 1, vehicleKey: undefined }
  assert.throws(() => encodeContractDescriptor({ ...contract, incentiveBps: 0x10000 }), RangeError)
  assert.throws(() => encodeContractDescriptor({ ...contract, vehicle: 2n ** 64n }), RangeError)
  assert.throws(() => encodeContractDescriptor({ ...contract, vehicleKey: new Uint8Array(63) }), RangeError)
})

test('a slot word is 192 bits of the hash and two times', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(0xffffffff), fc.nat(0xffffffff), (descriptor, activeFrom, endsAt) => {
      const word = slotWord(descriptor, activeFrom, endsAt)
      assert.equal(word, keccak256(descriptor).slice(0, 50) + hex(activeFrom, 4) + hex(endsAt, 4))
    }),
  )
})
