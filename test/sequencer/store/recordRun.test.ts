import assert from 'node:assert/strict'
import { test } from 'node:test'
import { writeU32 } from '../../../protocol/bigEndian.ts'
import { RecordRun } from '../../../sequencer/store/recordRun.ts'

test('what is taken back leaves room: writes that fail again and again, each of its own pages', () => {
  const run = new RecordRun()
  const record = new Uint8Array(24)
  const add = (evse: number): void => {
    writeU32(record, 0, evse)
    run.add(record, 0, { position: evse, amountMicro: evse, sequence: 1, row: 0 })
  }
  const first = 40
  for (let i = 0; i < first; i++) add(i * 256)
  for (let attempt = 1; attempt <= 12; attempt++) {
    for (let i = 0; i < 500; i++) add((attempt * 500 + i) * 256 + 1)
    run.truncate(first)
    assert.equal(run.pages, first)
  }
  add(first * 256)
  for (let i = 0; i <= first; i++) assert.equal(run.find({ evse: i * 256, start: 0 }, run.count)?.position, i * 256)
  for (let attempt = 1; attempt <= 12; attempt++) {
    assert.equal(run.find({ evse: attempt * 500 * 256 + 1, start: 0 }, run.count), undefined)
  }
  assert.equal(run.pages, first + 1)
})
