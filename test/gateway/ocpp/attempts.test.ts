import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FailedAttempts } from '../../../gateway/ocpp/attempts.ts'

test('a name longer than a station’s is counted by its beginning', () => {
  const attempts = new FailedAttempts({ limit: 2, hostLimit: 100, now: () => 0 })
  const long = (end: string): string => 'x'.repeat(64) + end
  attempts.failed('192.0.2.1', long('a'.repeat(16_000)))
  assert.equal(attempts.mayTry('192.0.2.1', long('b')), true)
  attempts.failed('192.0.2.1', long('c'))
  assert.equal(attempts.mayTry('192.0.2.1', long('d')), false)
  assert.equal(attempts.mayTry('192.0.2.1', 'CS1'), true)
  assert.equal(attempts.mayTry('192.0.2.2', long('d')), true)
})
