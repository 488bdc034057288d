import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { growthFlag, growthPercent, letHeapGrow } from '../../runtime/heapGrowth.ts'

const startsWith = (flag: string): boolean => spawnSync(process.execPath, [flag, '--eval', '']).status === 0

test('V8 still has the flag: at run time it would ignore one that it does not know', () => {
  assert.ok(startsWith(growthFlag(300)))
  assert.ok(!startsWith(growthFlag(300).replace('percent', 'percents')))
  assert.doesNotThrow(letHeapGrow)
})

test('a small heap may grow fourfold, a large one by 120 MB, and none by less than a fifth', () => {
  assert.deepEqual([10e6, 40e6, 60e6, 240e6, 400e6, 4e9].map(growthPercent), [300, 300, 200, 50, 30, 20])
})
