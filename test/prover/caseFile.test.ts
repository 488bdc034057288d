import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CaseFiles, type CaseFile } from '../../prover/respond/caseFile.ts'

const folder = mkdtempSync(join(tmpdir(), 'backfeed-cases-'))
after(() => rmSync(folder, { recursive: true }))

const file: CaseFile = {
  headerHash: `0x${'ab'.repeat(32)}`,
  chunk: 3,
  salt: `0x${'01'.repeat(32)}`,
  sinceBlock: 12,
  reveals: 1,
}

test('a case is read back as it was saved, until it is deleted', async () => {
  const files = new CaseFiles(join(folder, 'new'))
  assert.equal(await files.load(file.headerHash), undefined)
  await files.save(file)
  await files.save({ ...file, reveals: 2 })
  assert.deepEqual(await new CaseFiles(join(folder, 'new')).load(file.headerHash), { ...file, reveals: 2 })
  await files.delete(file.headerHash)
  assert.equal(await files.load(file.headerHash), undefined)
})

test('a damaged case is a fault: its salt may be on L1', async () => {
  writeFileSync(join(folder, `${'ab'.repeat(32)}.json`), '{"salt":')
  await assert.rejects(new CaseFiles(folder).load(file.headerHash), { code: 'DATA_CORRUPTED' })
})
