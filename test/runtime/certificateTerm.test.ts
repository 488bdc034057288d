import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkTerm } from '../../runtime/certificateTerm.ts'
import { ExitCode } from '../../runtime/errors.ts'

test('a certificate counts from its first millisecond to its last', () => {
  const term = { notBeforeMs: 1_000, notAfterMs: 2_000 }
  for (const nowMs of [1_000, 2_000]) checkTerm('x.pem', term, nowMs)
  for (const [nowMs, reason, message] of [
    [999, 'NOT_YET_VALID', /^the certificate of x\.pem begins 1970-01-01T00:00:01\.000Z, and it is .*:00\.999Z/],
    [2_001, 'EXPIRED', /^the certificate of x\.pem ended 1970-01-01T00:00:02\.000Z/],
  ] as const) {
    assert.throws(() => checkTerm('x.pem', term, nowMs), {
      code: 'ERR_AUTH_EXPIRED',
      exitCode: ExitCode.usage,
      details: { reason },
      message,
    })
  }
})
