import assert from 'node:assert/strict'
import { test } from 'node:test'
import { artifactsExist, staleFiles } from '../../contracts/tools/generate-abi.ts'

test('l1/abi is what the contracts compile to', { skip: !artifactsExist() && 'no artifacts: run forge build' }, () => {
  assert.deepEqual(staleFiles(), [])
})
