import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { recordDomain } from '../../protocol/domain.ts'
import { readingDomain, readingMessage } from '../../protocol/reading.ts'

const LANE = { chainId: 31_337n, rollup: `0x${'ab'.repeat(20)}`, lane: 7 } as const

test('the domain of readings is SHA-256 of name, chain, rollup and lane, and not that of records', () => {
  const preimage = Buffer.concat([
    Buffer.from('backfeed/1/reading', 'ascii'),
    Buffer.from((31_337).toString(16).padStart(64, '0'), 'hex'),
    Buffer.alloc(20, 0xab),
    Buffer.from([0, 0, 0, 7]),
  ])
  assert.deepEqual(Buffer.from(readingDomain(LANE)), createHash('sha256').update(preimage).digest())
  assert.notDeepEqual(readingDomain(LANE), recordDomain(LANE))
})

test('a reading is its domain, EVSE, span and energy; a field that does not fit is refused', () => {
  const domain = readingDomain(LANE)
  const reading = { evse: 0x01020304, start: 0x05060708, intervals: 9, energyWh: 0x0a0b0c }
  const expected = Buffer.concat([domain, Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])])
  assert.deepEqual(Buffer.from(readingMessage(domain, reading)), expected)
  for (const wrong of [{ energyWh: 2 ** 24 }, { intervals: 256 }, { evse: -1 }, { start: 0.5 }]) {
    assert.throws(() => readingMessage(domain, { ...reading, ...wrong }), RangeError)
  }
})
