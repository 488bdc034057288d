import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toHex } from '../../../l1/bytes.ts'
import type { DerivedBatch } from '../../../l1/derive/laneHistory.ts'
import { AS_OF_MAX_AGE_SECONDS, WINDOW_SECONDS } from '../../../protocol/limits.ts'
import type { ClosedBatch } from '../../../sequencer/closedBatch.ts'
import { compareWithL1, isFinal, nextStep } from '../../../sequencer/commit/standing.ts'
import { chooseAsOf } from '../../../sequencer/sequence/dating.ts'
import { closed, posted } from './batches.ts'

const ours = (index: number): ClosedBatch | undefined => (index <= 3 ? closed(index) : undefined)

test('L1 agrees as far as it holds what we hold; another root, date or count, or a batch more, is foreign', () => {
  const live = [closed(1), closed(2)].map((batch) => posted(batch))
  const compare = (list: DerivedBatch[], agreedBefore = 0) => compareWithL1({ live: list, agreedBefore, ours })
  assert.deepEqual(compare([]), { kind: 'agreed', posted: 0 })
  assert.deepEqual(compare(live), { kind: 'agreed', posted: 2 })
  for (const changes of [{ asOf: 1 }, { postRoot: toHex(new Uint8Array(31)) }, { chunkCount: 1 }]) {
    assert.deepEqual(compare([live[0]!, posted(closed(2), changes)]), { kind: 'foreign', index: 2 })
  }
  assert.deepEqual(compare([...live, posted(closed(3)), posted(closed(4))]), { kind: 'foreign', index: 4 })
})

test('a batch waits for its date, is posted after it, and dated anew before L1 would refuse it', () => {
  const next = closed(1)
  const at = (l1Time: number) => nextStep({ next, l1Time, redateMarginSeconds: 900 }).kind
  assert.equal(nextStep({ next: undefined, l1Time: 0, redateMarginSeconds: 0 }).kind, 'nothing')
  assert.equal(at(1_000), 'wait')
  assert.equal(at(1_001), 'post')
  assert.equal(at(1_000 + AS_OF_MAX_AGE_SECONDS - 900), 'post')
  assert.equal(at(1_001 + AS_OF_MAX_AGE_SECONDS - 900), 'redate')
})

test('a batch is final when its window is over in a state that cannot change', () => {
  const batch = posted(closed(1))
  assert.equal(isFinal(batch, { number: 10n, timestamp: 5_000 + WINDOW_SECONDS }), true)
  assert.equal(isFinal(batch, { number: 10n, timestamp: 4_999 + WINDOW_SECONDS }), false)
  assert.equal(isFinal(batch, { number: 9n, timestamp: 5_000 + WINDOW_SECONDS }), false)
})

test('a date is never past what blocks held final tell, never before the clock or the batch before', () => {
  const date = (now: number, finalTime: number, previousAsOf = 0) =>
    chooseAsOf({ now, finalTime, aheadSeconds: 60, previousAsOf })
  assert.equal(date(10_000, 9_900), 10_060)
  assert.equal(date(10_000, 8_230), 10_029)
  assert.equal(date(10_000, 8_201), 10_000)
  assert.equal(date(10_000, 8_200), undefined)
  assert.equal(date(10_000, 9_900, 10_500), 10_500)
  assert.equal(date(10_000, 8_230, 10_500), undefined)
})
