import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scheme } from '../../../protocol/scheme.ts'
import { Admission, type Ticket } from '../../../sequencer/ingress/admission.ts'
import { fc } from '../../support/property.ts'

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

test('shares are of what the engine of a scheme holds: a greedy peer leaves half of that, and all of another scheme', () => {
  const schemeRecords = { [Scheme.P256]: 100, [Scheme.BLS]: 60 }
  const admission = new Admission({ ...limits, schemeRecords })
  const enter = (peer: string, records: number, scheme: Scheme) => admission.enter(peer, records, scheme)
  let held = 0
  while (typeof enter('greedy', 10, Scheme.P256) !== 'string') held += 10
  assert.equal(held, 50)
  assert.notEqual(typeof enter('newcomer', 50, Scheme.P256), 'string')
  assert.equal(enter('another', 1, Scheme.P256), 'OVERLOADED')
  const ticket = enter('another', 60, Scheme.BLS)
  assert.notEqual(typeof ticket, 'string')
  assert.equal(enter('greedy', 1, Scheme.BLS), 'OVERLOADED')
  ;(ticket as Ticket).leave()
  assert.notEqual(typeof enter('last', 60, Scheme.BLS), 'string')
})

test('what is charged for its bulk takes no more of an engine than a full request', () => {
  const admission = new Admission({ schemeRecords: { [Scheme.P256]: 2_048 } })
  const bulky = admission.enter('json', 6_000)
  assert.notEqual(typeof bulky, 'string')
  assert.notEqual(typeof admission.enter('rows', 1_024), 'string')
  assert.equal(admission.enter('late', 1), 'OVERLOADED')
  ;(bulky as Ticket).shrink(24)
  assert.notEqual(typeof admission.enter('late', 1_000), 'string')
  assert.equal(admission.enter('later', 1), 'OVERLOADED')
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
