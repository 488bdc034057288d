import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readBlsKeyFile } from '../../../l1/attest/blsKeyFile.ts'

const folder = mkdtempSync(join(tmpdir(), 'backfeed-bls-'))
after(() => rmSync(folder, { recursive: true }))
const path = join(folder, 'key')

test('a key file is 32 bytes of hex that its owner alone can read', () => {
  const secret = `0x${'17'.repeat(32)}`
  writeFileSync(path, `${secret}\n`, { mode: 0o600 })
  assert.equal(readBlsKeyFile(path).toHex(), secret)
  for (const mode of [0o640, 0o604, 0o660]) {
    chmodSync(path, mode)
    assert.throws(() => readBlsKeyFile(path), { code: 'KEY_EXPOSED' })
  }
  chmodSync(path, 0o600)
  for (const text of ['0x17', 'ff'.repeat(32), '00'.repeat(32), 'key', '']) {
    writeFileSync(path, text)
    assert.throws(() => readBlsKeyFile(path), { code: 'KEY_INVALID' }, text)
  }
  assert.throws(() => readBlsKeyFile(join(folder, 'none')), { code: 'KEY_UNREADABLE' })
})
