import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { Address } from 'viem'
import { recordDomain, recordMessage, writeRecordMessage } from '../../protocol/domain.ts'
import { fc } from '../support/property.ts'

const address = fc
  .uint8Array({ minLength: 20, maxLength: 20 })
  .map((b): Address => `0x${Buffer.from(b).toString('hex')}`)

test('the domain is SHA-256 of name, chain, rollup and lane', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n }), address, fc.nat(0xffffffff), (chainId, rollup, lane) => {
      const preimage = Buffer.concat([
        Buffer.from('backfeed/1/record', 'ascii'),
        Buffer.from(chainId.toString(16).padStart(64, '0'), 'hex'),
        Buffer.from(rollup.slice(2), 'hex'),
        Buffer.from(lane.toString(16).padStart(8, '0'), 'hex'),
      ])
      const expected = createHash('sha256').update(preimage).digest()
      assert.deepEqual(Buffer.from(recordDomain({ chainId, rollup, lane })), expected)
    }),
  )
})

test('the message is domain, record and place; both ways of writing it agree', () => {
  const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
  fc.assert(
    fc.property(bytes(32), bytes(24), fc.integer(), fc.integer(), fc.nat(9), (domain, record, lat, lon, shift) => {
      const place = Buffer.alloc(8)
      place.writeInt32BE(lat, 0)
      place.writeInt32BE(lon, 4)
      const expected = Buffer.concat([domain, record, place])
      assert.deepEqual(Buffer.from(recordMessage(domain, record, lat, lon)), expected)
      const into = new Uint8Array(64)
      const moved = Buffer.concat([Buffer.alloc(shift), record])
      const position = Buffer.concat([Buffer.alloc(3), place])
      writeRecordMessage(into, { domain, record: moved, recordAt: shift, position, positionAt: 3 })
      assert.deepEqual(Buffer.from(into), expected)
    }),
  )
})
