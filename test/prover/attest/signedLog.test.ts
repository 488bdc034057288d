import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Hex } from 'viem'
import { SignedLog } from '../../../prover/attest/signedLog.ts'

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
