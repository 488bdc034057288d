import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { HEAP_GROWTH_FLAG, letHeapGrow } from '../../runtime/heapGrowth.ts'

const startsWith = (flag: string): boolean => spawnSync(process.execPath, [flag, '--eval', '']).status === 0

test('V8 still has the flag: at run time it would ignore one that it does not know', () => {
  assert.ok(startsWith(HEAP_GROWTH_FLAG))
  assert.ok(!startsWith('--heap-growing-percents=300'))
  assert.doesNotThrow(letHeapGrow)
})
