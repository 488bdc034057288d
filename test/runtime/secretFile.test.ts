import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { ExitCode, isBackfeedError } from '../../runtime/errors.ts'
import { readSecretFile } from '../../runtime/secretFile.ts'

const folder = mkdtempSync(join(tmpdir(), 'backfeed-secret-'))
after(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'secret')
writeFileSync(path, 'open sesame')
const rules = { unreadable: 'KEY_UNREADABLE' }

test('of all modes two are a secret’s', () => {
  const read: number[] = []
  for (let mode = 0; mode <= 0o777; mode++) {
    chmodSync(path, mode)
    try {
      assert.equal(readSecretFile(path, rules).toString(), 'open sesame')
      read.push(mode)
    } catch (error) {
      assert.ok(isBackfeedError(error), String(error))
      // Who is not root cannot open all of them.
      if (error.code === 'KEY_UNREADABLE') continue
      assert.deepEqual([error.code, error.details.reason], ['ERR_AUTH_EXPIRED', 'PERMISSIONS'])
      assert.match(error.message, new RegExp(`mode ${mode.toString(8)}: chmod 600 `))
    }
  }
  assert.deepEqual(read, [0o400, 0o600])
  chmodSync(path, 0o600)
})

test('what cannot be read, or is too long, has the caller’s code and the configuration’s key', () => {
  const key = 'ocpp.tls.keyFile'
  for (const [name, maxBytes] of [
    [`${path}.none`, 100],
    [path, 10],
  ] as const) {
    assert.throws(() => readSecretFile(name, { unreadable: 'CONFIG_UNREADABLE', key, maxBytes }), {
      code: 'CONFIG_UNREADABLE',
      exitCode: ExitCode.usage,
      message: `ocpp.tls.keyFile: cannot read ${name}`,
    })
  }
  assert.equal(readSecretFile(path, { ...rules, maxBytes: 11 }).length, 11)
})

test('a key that must be ours is not read from another user’s file', (t) => {
  const user = process.getuid?.()
  if (user === undefined) return t.skip('no users here')
  assert.ok(readSecretFile(path, { ...rules, isOurs: true }))
  t.mock.method(process as { getuid(): number }, 'getuid', () => user + 1)
  assert.ok(readSecretFile(path, rules))
  assert.throws(() => readSecretFile(path, { ...rules, isOurs: true }), { code: 'ERR_AUTH_EXPIRED', message: /chown/ })
})
