import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Admission, type Ticket } from '../../../sequencer/ingress/admission.ts'

const limits = { maxRecords: 1_000, maxPeerRecords: 600 }

function fill(admission: Admission, peer: string, records: number): number {
  let held = 0
  while (typeof admission.enter(peer, records) !== 'string') held += records
  return held
}

test('one greedy peer gets half, and what is left is open to others', () => {
  const admission = new Admission(limits)
  assert.equal(fill(admission, 'greedy', 10), 500)
  assert.equal(admission.enter('greedy', 10), 'PEER_LIMIT')
  assert.equal(fill(admission, 'second', 10), 250)
  assert.notEqual(typeof admission.enter('newcomer', 250), 'string')
  assert.equal(admission.enter('another', 10), 'OVERLOADED')
})

test('a hundred greedy peers do not shut out a newcomer, and the share comes back', () => {
  const admission = new Admission({ maxRecords: 10_000, maxPeerRecords: 8_000 })
  for (let round = 0; round < 200; round++) {
    for (let peer = 0; peer < 100; peer++) admission.enter(`greedy${peer}`, 1)
  }
  const ticket = admission.enter('newcomer', 90)
  assert.notEqual(typeof ticket, 'string')
  ;(ticket as Ticket).leave()
  assert.notEqual(typeof admission.enter('newcomer', 90), 'string')
})

test('no peer passes its own limit, alone on an idle machine', () => {
  const admission = new Admission({ maxRecords: 100_000, maxPeerRecords: 600 })
  assert.equal(admission.enter('peer', 601), 'PEER_LIMIT')
  assert.equal(fill(admission, 'peer', 7), 595)
})

test('whatever comes and goes, the sums are right and the bound holds', () => {
  const step = fc.record({
    peer: fc.constantFrom('a', 'b', 'c', 'd'),
    records: fc.integer({ min: 1, max: 400 }),
    action: fc.constantFrom('enter', 'enter', 'leave', 'shrink', 'leaveTwice'),
    pick: fc.nat(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const admission = new Admission(limits)
      let held: { peer: string; records: number; ticket: Ticket }[] = []
      for (const { peer, records, action, pick } of steps) {
        const chosen = held[pick % Math.max(1, held.length)]
        if (action === 'enter') {
          const ticket = admission.enter(peer, records)
          if (typeof ticket !== 'string') held.push({ peer, records, ticket })
          else if (ticket === 'OVERLOADED') assert.ok(admission.inFlight + records > limits.maxRecords)
        } else if (chosen !== undefined && action === 'shrink') {
          chosen.ticket.shrink(records)
          chosen.records = Math.min(chosen.records, records)
        } else if (chosen !== undefined) {
          chosen.ticket.leave()
          if (action === 'leaveTwice') chosen.ticket.leave()
          held = held.filter((other) => other !== chosen)
        }
        assert.equal(
          admission.inFlight,
          held.reduce((sum, other) => sum + other.records, 0),
        )
        assert.equal(admission.peers, new Set(held.map((other) => other.peer)).size)
        assert.ok(admission.inFlight <= limits.maxRecords)
      }
      for (const { ticket } of held) ticket.leave()
      assert.deepEqual([admission.inFlight, admission.peers], [0, 0])
    }),
  )
})
