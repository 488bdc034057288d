import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BackfeedError, describeError, ExitCode, exitCodeOf } from '../../runtime/errors.ts'
import { createLogger } from '../../runtime/log.ts'
import { createMetrics } from '../../runtime/metrics.ts'

test('the exit code is that of the first cause that has one', () => {
  const inner = new BackfeedError('DATA_CORRUPTED', 'bad checksum', { exitCode: ExitCode.dataCorrupted })
  const outer = new BackfeedError('START_FAILED', 'could not start', { cause: inner })
  assert.equal(exitCodeOf(outer), ExitCode.dataCorrupted)
  assert.equal(exitCodeOf(new Error('x')), ExitCode.internalFault)
  assert.equal(describeError(outer), 'could not start [START_FAILED]: bad checksum [DATA_CORRUPTED]')
})

test('log lines carry fields and code, and no keys', () => {
  const lines: string[] = []
  const log = createLogger({ service: 'test', destination: { write: (line) => void lines.push(line) } })
  const err = new BackfeedError('L1_REVERTED', 'no', { details: { index: 3n } })
  log.child({ stage: 'commit', lane: 4 }).warn({ err, account: { privateKey: '0xsecret' } }, 'refused')
  const line = JSON.parse(lines[0] ?? '')
  assert.equal(line.level, 'warn')
  assert.equal(line.stage, 'commit')
  assert.equal(line.lane, 4)
  assert.equal(line.err.code, 'L1_REVERTED')
  assert.equal(line.err.details.index, '3')
  assert.ok(!lines[0]?.includes('0xsecret'))
})

test('metrics have the prefix and the service label', async () => {
  const metrics = createMetrics({ service: 'test', process: false })
  metrics.counter({ name: 'things_total', help: 'Things', labels: ['kind'] }).inc({ kind: 'a' }, 2)
  const text = await metrics.text()
  assert.match(text, /backfeed_things_total\{kind="a",service="test"\} 2/)
})
