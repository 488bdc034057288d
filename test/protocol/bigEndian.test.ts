import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as be from '../../protocol/bigEndian.ts'
import { fc } from '../support/property.ts'

type Read = (bytes: Uint8Array, at: number) => number
type Write = (bytes: Uint8Array, at: number, value: number) => void

const widths: readonly { name: string; bytes: number; max: number; read: Read; write: Write }[] = [
  { name: 'u16', bytes: 2, max: 0xffff, read: be.readU16, write: be.writeU16 },
  { name: 'u24', bytes: 3, max: 0xffffff, read: be.readU24, write: be.writeU24 },
  { name: 'u32', bytes: 4, max: 0xffffffff, read: be.readU32, write: be.writeU32 },
  { name: 'u40', bytes: 5, max: 2 ** 40 - 1, read: be.readU40, write: be.writeU40 },
  { name: 'u48', bytes: 6, max: 2 ** 48 - 1, read: be.readU48, write: be.writeU48 },
  { name: 'u64 below 2^53', bytes: 8, max: Number.MAX_SAFE_INTEGER, read: be.readU64, write: be.writeU64 },
]

for (const { name, bytes, max, read, write } of widths) {
  test(`${name} is big-endian and touches no other byte`, () => {
    const value = fc.oneof(
      fc.constantFrom(0, 1, max, max - 1),
      fc.maxSafeNat().map((n) => n % (max + 1)),
    )
    fc.assert(
      fc.property(value, fc.integer({ min: 0, max: 5 }), (n, at) => {
        const into = new Uint8Array(16).fill(0xaa)
        write(into, at, n)
        const hex = Buffer.from(into).toString('hex')
        assert.equal(hex.slice(at * 2, (at + bytes) * 2), n.toString(16).padStart(bytes * 2, '0'))
        assert.equal(hex.slice(0, at * 2) + hex.slice((at + bytes) * 2), 'aa'.repeat(16 - bytes))
        assert.equal(read(into, at), n)
      }),
    )
  })
}

test('i32 is two’s complement', () => {
  fc.assert(
    fc.property(fc.integer(), (n) => {
      const into = new Uint8Array(4)
      be.writeU32(into, 0, n >>> 0)
      assert.equal(be.readI32(into, 0), n)
      assert.equal(Buffer.from(into).readInt32BE(0), n)
    }),
  )
})

test('big integers of any length', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 32 }), fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (length, n) => {
      const value = n % 2n ** BigInt(length * 8)
      const into = new Uint8Array(34).fill(0xaa)
      be.writeBigUint(into, 1, length, value)
      assert.equal(be.readBigUint(into, 1, length), value)
      assert.equal(into[0], 0xaa)
      assert.equal(into[length + 1], 0xaa)
    }),
  )
})
