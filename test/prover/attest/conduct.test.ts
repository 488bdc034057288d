import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PeerConduct } from '../../../prover/attest/peerConduct.ts'
import { turnDelayMs } from '../../../prover/attest/postTurn.ts'

test('the third garbage in a minute is one too many; a slip now and then is forgiven', () => {
  const conduct = new PeerConduct()
  assert.equal(conduct.note('a', 'reject', 0), 'keep')
  assert.equal(conduct.note('a', 'accept', 1), 'keep')
  assert.equal(conduct.note('a', 'reject', 2), 'keep')
  assert.equal(conduct.note('b', 'reject', 2), 'keep')
  assert.equal(conduct.note('a', 'reject', 3), 'deny')
  const slow = new PeerConduct()
  for (let minute = 0; minute < 20; minute++) assert.equal(slow.note('a', 'reject', minute * 61_000), 'keep')
})

test('floods of what is nobody’s business end too', () => {
  const conduct = new PeerConduct()
  let told = 1
  while (conduct.note('a', 'ignore', 0) === 'keep') assert.ok(++told < 1_000)
  assert.equal(told, 512)
})

test('who is denied stays so; the list is bounded', () => {
  const conduct = new PeerConduct()
  conduct.deny('a')
  assert.ok(conduct.isDenied('a'))
  assert.ok(!conduct.isDenied('b'))
  for (let i = 0; i < 5_000; i++) conduct.deny(`p${i}`)
  assert.equal(conduct.deniedCount, 4_096)
  assert.ok(conduct.isDenied('p4999'))
})

test('every attester has a turn of its own, in another order for every batch', () => {
  const ids = [0, 3, 7, 200]
  const orders = new Set<string>()
  for (let i = 0; i < 20; i++) {
    const headerHash = `0x${i.toString(16).padStart(64, '0')}` as const
    const delays = ids.map((own) => turnDelayMs({ headerHash, ids, own, turnMs: 1_000 }))
    assert.deepEqual(
      delays.toSorted((a, b) => a - b),
      [0, 1_000, 2_000, 3_000],
    )
    assert.equal(turnDelayMs({ headerHash, ids, own: undefined, turnMs: 1_000 }), 4_000)
    orders.add(delays.join())
  }
  assert.ok(orders.size > 5)
})
