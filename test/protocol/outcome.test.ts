import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outcome, outcomeName, outcomeNames } from '../../protocol/outcome.ts'

test('outcomes are numbered without gaps, and named by their numbers', () => {
  assert.deepEqual(Object.values(Outcome), [...outcomeNames.keys()])
  for (const name of outcomeNames) assert.equal(outcomeName(Outcome[name]), name)
})
