import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Demand } from '../../../gateway/control/demand.ts'
import { DemandBook } from '../../../gateway/control/demandBook.ts'

const demand = (change: Partial<Demand>): Demand => ({
  source: 'grid',
  evse: undefined,
  watts: 1_000,
  untilMs: 1_000,
  reason: 'test',
  ...change,
})

test('the stronger source counts, one for the EVSE before one for all, and what is over gives way', () => {
  const book = new DemandBook()
  const watts = (evse: string, nowMs: number): number | undefined => book.for(evse, nowMs)?.watts
  assert.equal(watts('a', 0), undefined)
  book.take(demand({ source: 'price', watts: 1, untilMs: 5_000 }), 0)
  book.take(demand({ source: 'grid', watts: 2, untilMs: 3_000 }), 0)
  book.take(demand({ source: 'grid', evse: 'a', watts: 3, untilMs: 2_000 }), 0)
  book.take(demand({ source: 'operator', evse: 'a', watts: 0, untilMs: 1_000 }), 0)
  assert.deepEqual(
    [0, 999, 1_000, 2_000, 3_000, 5_000].map((nowMs) => watts('a', nowMs)),
    [0, 0, 3, 2, 1, undefined],
  )
  assert.deepEqual(
    [0, 3_000].map((nowMs) => watts('b', nowMs)),
    [2, 1],
  )
})

test('a newer demand replaces, one that is over withdraws', () => {
  const book = new DemandBook()
  book.take(demand({ watts: 1 }), 0)
  book.take(demand({ watts: 2 }), 0)
  assert.equal(book.for('a', 0)?.watts, 2)
  book.take(demand({ untilMs: 0 }), 0)
  assert.equal(book.for('a', 0), undefined)
  book.take(demand({ evse: 'a' }), 0)
  book.take(demand({ evse: 'a', untilMs: -1 }), 0)
  assert.equal(book.for('a', 0), undefined)
})
