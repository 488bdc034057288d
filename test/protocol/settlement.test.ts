import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LaneState } from '../../protocol/laneState.ts'
import { Outcome, type OutcomeName, outcomeName, outcomeNames } from '../../protocol/outcome.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { laneRulesOf, randomLane, type Stretch } from '../support/generators/lane.ts'
import { Random, withSeed } from '../support/generators/random.ts'
import { Aim, randomRecord } from '../support/generators/record.ts'
import { NaiveLane } from './naiveSettlement.ts'
import { naivePair, naiveRoot } from './naiveTree.ts'

const FILE = 'test/protocol/settlement.test.ts'
const STRETCH: Stretch = { from: 900 * 1_900_000, to: 900 * 1_901_000 }
const BATCHES = 40
const RECORDS_PER_BATCH = 150

test('settles as a naive reading of the text does, every outcome met', async () => {
  const counts = new Map<OutcomeName, number>(outcomeNames.map((name) => [name, 0]))
  let positiveAmounts = 0
  await withSeed(FILE, (random) => {
    for (let lane = 0; lane < 4; lane++) {
      const facts = randomLane(random, STRETCH, 24)
      const rules = laneRulesOf(facts)
      const state = new LaneState()
      const naive = new NaiveLane(facts)
      for (let batch = 1; batch <= BATCHES; batch++) {
        const asOf = STRETCH.from + Math.floor(((STRETCH.to - STRETCH.from) * batch) / BATCHES) + random.int(-7, 7)
        const settlement = new Settlement(state, rules, asOf)
        const world = { facts, stretch: STRETCH, asOf, evseLeaf: (slot: number) => state.evse(slot) }
        for (let i = 0; i < RECORDS_PER_BATCH; i++) {
          const { aim, record } = randomRecord(random, world)
          const valid = aim !== Aim.BAD_SIGNATURE && !random.chance(0.02)
          const outcome = outcomeName(settlement.settle(encodeRecord(record), 0, valid))
          const expected = naive.settle(record, valid, asOf)
          assert.equal(outcome, expected.outcome, JSON.stringify({ record, asOf }))
          if (outcome === 'SETTLED') assert.equal(BigInt(settlement.amountMicro), expected.amount)
          if (expected.amount > 0n) positiveAmounts++
          counts.set(outcome, counts.get(outcome)! + 1)
        }
        assertSameState(state, naive)
      }
    }
  })
  for (const [name, count] of counts) assert.ok(count > 0, `${name} never happened`)
  assert.ok(positiveAmounts > 100, `only ${positiveAmounts} records were worth anything`)
  console.log(Object.fromEntries(counts))
})

function assertSameState(state: LaneState, naive: NaiveLane): void {
  assert.equal(hex(state.laneLeafBytes()), hex(naive.laneLeaf()))
  const evseRoot = naiveRoot(naive.evseLeaves())
  const contractRoot = naiveRoot(naive.contractLeaves())
  const root = naivePair(naivePair(evseRoot, contractRoot), naivePair(naive.laneLeaf(), new Uint8Array(32)))
  assert.equal(hex(state.root()), hex(root.subarray(0, 31)))
}

test('a record that fails changes nothing but the position', async () => {
  await withSeed(FILE, (random) => {
    const facts = randomLane(random, STRETCH, 8)
    const rules = laneRulesOf(facts)
    const state = new LaneState()
    const settlement = new Settlement(state, rules, STRETCH.to)
    const world = { facts, stretch: STRETCH, asOf: STRETCH.to, evseLeaf: (slot: number) => state.evse(slot) }
    for (let i = 0; i < 1000; i++) {
      const before = { ...state.lane(), evses: hex(state.evses.root()), contracts: hex(state.contracts.root()) }
      const outcome = settlement.settle(encodeRecord(randomRecord(random, world).record), 0, random.chance(0.9))
      if (outcome === Outcome.SETTLED) continue
      const moved = outcome === Outcome.EMPTY ? 0 : 1
      assert.deepEqual(
        { ...state.lane(), evses: hex(state.evses.root()), contracts: hex(state.contracts.root()) },
        { ...before, position: before.position + moved },
      )
    }
  })
})

test('any bytes are judged, none throw', async () => {
  await withSeed(FILE, (random) => {
    const facts = randomLane(random, STRETCH, 4)
    const rules = laneRulesOf(facts)
    const state = new LaneState()
    const naive = new NaiveLane(facts)
    const settlement = new Settlement(state, rules, STRETCH.to)
    for (let i = 0; i < 3000; i++) {
      const bytes = random.chance(0.2) ? new Uint8Array(24).fill(random.pick([0, 0xff, 0x80])) : random.bytes(24)
      // In-range slots now and then, or nothing would pass check 1.
      if (random.chance(0.7)) bytes.set([0, 0, 0, random.int(0, 4)])
      if (random.chance(0.7)) bytes.set([0, 0, 0, random.int(0, 4)], 4)
      const valid = random.chance(0.9)
      const expected = naive.settle(decodeRecord(bytes), valid, STRETCH.to).outcome
      assert.equal(outcomeName(settlement.settle(bytes, 0, valid)), expected)
    }
  })
})

test('rolling back restores the root, whatever happened since', async () => {
  await withSeed(FILE, (random) => {
    const facts = randomLane(random, STRETCH, 12)
    const rules = laneRulesOf(facts)
    const state = new LaneState()
    const world = { facts, stretch: STRETCH, asOf: STRETCH.to, evseLeaf: (slot: number) => state.evse(slot) }
    const settlement = new Settlement(state, rules, STRETCH.to)
    const settleMany = (count: number): number => {
      let settled = 0
      for (let i = 0; i < count; i++) {
        const bytes = encodeRecord(randomRecord(random, world).record)
        if (settlement.settle(bytes, 0, true) === Outcome.SETTLED) settled++
      }
      return settled
    }
    let settled = 0
    for (let round = 0; round < 20; round++) {
      settleMany(10)
      const root = hex(state.root())
      const lane = state.lane()
      state.beginUndo()
      settled += settleMany(random.int(1, 60))
      if (random.chance(0.5)) state.root()
      state.rollBack()
      assert.equal(hex(state.root()), root)
      assert.deepEqual(state.lane(), lane)
    }
    assert.ok(settled > 0, 'nothing settled, so nothing was rolled back')
    state.beginUndo()
    settleMany(30)
    const kept = hex(state.root())
    state.keep()
    assert.equal(hex(state.root()), kept)
    assert.throws(() => state.rollBack(), /beginUndo/)
  })
})

test('asks for a signature only where the EVSE is known', async () => {
  await withSeed(FILE, (random) => {
    const facts = randomLane(random, STRETCH, 12)
    const settlement = new Settlement(new LaneState(), laneRulesOf(facts), STRETCH.to)
    const evseLeaf = new LaneState().evse(0)
    const world = { facts, stretch: STRETCH, asOf: STRETCH.to, evseLeaf: () => evseLeaf }
    const seen = new Set<boolean>()
    for (let i = 0; i < 500; i++) {
      const bytes = encodeRecord(randomRecord(random, world).record)
      const outcome = settlement.settle(bytes, 0, false)
      if (outcome === Outcome.EMPTY) continue
      seen.add(settlement.knowsEvse(bytes, 0))
      assert.equal(outcome, settlement.knowsEvse(bytes, 0) ? Outcome.BAD_SIGNATURE : Outcome.UNKNOWN_EVSE)
    }
    assert.equal(seen.size, 2)
  })
})

test('the seed alone decides what is generated', () => {
  const run = (seed: number): unknown => {
    const random = new Random(seed)
    const { contracts, checkpoints } = randomLane(random, STRETCH, 3)
    return { contracts, checkpoints, next: random.u32() }
  }
  assert.deepEqual(run(7), run(7))
  assert.notDeepEqual(run(7), run(8))
})

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
