import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pairsToHash } from '../../bench/bareState.ts'
import { inTurn, RecordMaker, signatureOf, splitRows } from '../../bench/recordMaker.ts'
import { NOW, Workload } from '../../bench/workload.ts'
import { readI32, readU32 } from '../../protocol/bigEndian.ts'
import { recordMessage } from '../../protocol/domain.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { Outcome } from '../../protocol/outcome.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { Settlement } from '../../protocol/settlement.ts'

const EVSES = 5
const COUNT = 60

function rowsOf(keys: boolean): { workload: Workload; rows: Uint8Array } {
  const maker = new RecordMaker({ evses: EVSES, keys })
  const rows = maker.rows(inTurn({ next: 0 }, { from: 0, step: 1, end: EVSES }, COUNT), COUNT)
  return { workload: new Workload({ evses: EVSES, keys }), rows }
}

test('every record of a workload settles', () => {
  for (const keys of [true, false]) {
    const { workload, rows } = rowsOf(keys)
    const settlement = new Settlement(new LaneState(), workload.rules, NOW)
    for (let row = 0; row < COUNT; row++) {
      assert.equal(settlement.settle(rows, row * SIGNED_RECORD_BYTES, true), Outcome.SETTLED, `row ${row}`)
    }
  }
})

test('signatures of a workload are real, and noise where they are taken as verified', () => {
  for (const keys of [true, false]) {
    const { workload, rows } = rowsOf(keys)
    for (let row = 0; row < COUNT; row++) {
      const at = row * SIGNED_RECORD_BYTES
      const position = workload.rules.evsePosition(readU32(rows, at))
      const record = rows.subarray(at, at + 24)
      const message = recordMessage(workload.domain, record, readI32(position, 0), readI32(position, 4))
      const key = keys ? parseP256Key(workload.rules.evseKey(readU32(rows, at))) : undefined
      assert.equal(verifyP256(key, message, signatureOf(rows, row)), keys)
    }
  }
})

test('connections share out the EVSEs', () => {
  const slots = [0, 1].map((from) => [...inTurn({ next: 0 }, { from, step: 2, end: EVSES }, 6)])
  assert.deepEqual(slots, [
    [0, 2, 4, 0, 2, 4],
    [1, 3, 1, 3, 1, 3],
  ])
})

test('rows are split into requests and none is lost', () => {
  const { rows } = rowsOf(false)
  const parts = splitRows(rows, 25)
  assert.deepEqual(
    parts.map(({ length }) => length / SIGNED_RECORD_BYTES),
    [25, 25, 10],
  )
  assert.deepEqual(Buffer.concat(parts), Buffer.from(rows))
})

test('the pairs that roots take are the distinct ancestors of each chunk, a call for a level of sixteen chunks', () => {
  // Leaves 0…4 of both trees change in each chunk: 3, 2 and 1 pairs on three levels.
  const { rows } = rowsOf(false)
  assert.deepEqual(pairsToHash(rows, 3), [9, 6, 3, 9, 6, 3])
  const more = Buffer.concat(Array(7).fill(rows.subarray(0, 55 * SIGNED_RECORD_BYTES)))
  assert.deepEqual(pairsToHash(more, 3), [...[48, 32, 16], ...[48, 32, 16], ...[6, 4, 2], ...[6, 4, 2]])
})
