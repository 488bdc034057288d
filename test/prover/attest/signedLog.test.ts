import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Hex } from 'viem'
import { SignedLog } from '../../../prover/attest/signedLog.ts'
import { isBackfeedError } from '../../../runtime/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'backfeed-signed-'))
after(() => rmSync(folder, { recursive: true }))
const hashOf = (byte: string): Hex => `0x${byte.repeat(32)}`

test('what was signed is known after a restart, the newest of an index', async () => {
  const path = join(folder, 'a', 'signed.log')
  const log = await SignedLog.open(path)
  await log.add({ lane: 1, index: 5n, headerHash: hashOf('aa') })
  await log.add({ lane: 1, index: 5n, headerHash: hashOf('aa') })
  await log.add({ lane: 2, index: 5n, headerHash: hashOf('bb') })
  await log.add({ lane: 1, index: 5n, headerHash: hashOf('cc') })
  await log.close()
  const again = await SignedLog.open(path)
  assert.equal(again.get(1, 5n), hashOf('cc'))
  assert.equal(again.get(2, 5n), hashOf('bb'))
  assert.equal(again.get(1, 6n), undefined)
  await again.close()
})

test('a line that a crash cut short is dropped, one that was changed stops everything', async () => {
  const path = join(folder, 'signed.log')
  const log = await SignedLog.open(path)
  await log.add({ lane: 0, index: 1n, headerHash: hashOf('aa') })
  await log.add({ lane: 0, index: 2n, headerHash: hashOf('bb') })
  await log.close()
  appendFileSync(path, '0 3 0xcccc')
  const cut = await SignedLog.open(path)
  assert.equal(cut.get(0, 2n), hashOf('bb'))
  assert.equal(cut.get(0, 3n), undefined)
  await cut.add({ lane: 0, index: 3n, headerHash: hashOf('dd') })
  await cut.close()
  const whole = await SignedLog.open(path)
  assert.equal(whole.get(0, 3n), hashOf('dd'))
  await whole.close()
  writeFileSync(path, readFileSync(path, 'utf8').replace('0 1 0xaa', '0 1 0xab'))
  await assert.rejects(SignedLog.open(path), { code: 'DATA_CORRUPTED' })
})

test('a full disk leaves half a line: nothing counts as signed, and it goes on when there is room', async (t) => {
  const path = join(folder, 'full', 'signed.log')
  const log = await SignedLog.open(path)
  await log.add({ lane: 1, index: 1n, headerHash: hashOf('aa') })
  const handle = await open(path, 'a')
  const append = t.mock.method(
    Object.getPrototypeOf(handle),
    'appendFile',
    async function (this: FileHandle, line: string) {
      await this.write(line.slice(0, 20))
      throw new Error('ENOSPC: no space left on device')
    },
  )
  const second = { lane: 1, index: 2n, headerHash: hashOf('bb') }
  for (let i = 0; i < 2; i++) {
    await assert.rejects(log.add(second), (error) => isBackfeedError(error, 'STORE_FAILED') && error.retryable)
    assert.equal(log.get(1, 2n), undefined)
  }
  append.mock.restore()
  await log.add(second)
  await log.add({ lane: 1, index: 3n, headerHash: hashOf('cc') })
  await log.close()
  await handle.close()
  const again = await SignedLog.open(path)
  assert.deepEqual(
    [1n, 2n, 3n].map((index) => again.get(1, index)),
    ['aa', 'bb', 'cc'].map(hashOf),
  )
  await again.close()
})
