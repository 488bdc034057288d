import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { settlementJson, settlementRows } from '../vectors/generate-settlement.ts'

test('settlement.json, which forge reads, is what the generator writes', () => {
  const file = readFileSync(new URL('../vectors/settlement.json', import.meta.url), 'utf8')
  assert.ok(
    file === settlementJson(settlementRows()),
    'stale vectors: node test/vectors/generate-settlement.ts, in a commit of their own',
  )
})
