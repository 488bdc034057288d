import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { depositBond, openLane } from '../../l1/operate/lanes.ts'
import { MIN_BOND_WEI } from '../../protocol/limits.ts'
import { type Anvil, startAnvil } from '../support/anvil.ts'
import { EvilLane } from '../support/evil/evilLane.ts'
import { expectCaught } from '../support/evil/expectCaught.ts'
import { everyLie, overBudget } from '../support/evil/lies.ts'
import { PROVER_ACCOUNT, startTestProver, type TestProver } from '../support/evil/testProver.ts'
import { openTestLane, type TestLane } from '../support/laneFixture.ts'
import { accountFromKey } from '../../l1/client.ts'
import { anvilPrivateKey } from '../support/anvil.ts'

const OTHER_OPERATOR = 5

describe('an evil sequencer against the real prover', () => {
  let anvil: Anvil
  let fixture: TestLane
  let evil: EvilLane
  let prover: TestProver
  let neighbour: EvilLane

  before(async () => {
    anvil = await startAnvil()
    fixture = await openTestLane({ anvil })
    evil = new EvilLane(fixture)
    const byOwner = { client: fixture.client, account: fixture.owner }
    const other = accountFromKey(anvilPrivateKey(OTHER_OPERATOR))
    const { rollup } = fixture.contracts
    const lane = await openLane(byOwner, rollup, { zone: fixture.zone, operator: other.address })
    await depositBond({ client: fixture.client, account: other }, rollup, MIN_BOND_WEI)
    neighbour = new EvilLane(fixture, lane, other)
    prover = await startTestProver(fixture, { account: PROVER_ACCOUNT })
  })
  after(async () => {
    await prover?.stop()
    await anvil?.stop()
  })

  for (const mode of ['blob', 'calldata'] as const) {
    test(`${mode}: every lie is caught, slashed and rolled back; honest batches stand`, async () => {
      const base = await evil.postHonest([fixture.fleet.rows(22), fixture.fleet.rows(10)], mode)
      await neighbour.postHonest([fixture.fleet.rows(22)], mode)
      await prover.idle()
      assert.equal(await evil.tip(), base.header.index)
      assert.equal(evil.honest.at(-1)!.built.settled, 32, 'the base batch pays')

      const bodies = [fixture.fleet.rows(22), fixture.fleet.rows(22), fixture.fleet.rows(22)]
      const material = { rules: () => evil.rules(), fleet: fixture.fleet, bodies }
      for (const story of await everyLie(material)) await expectCaught(evil, prover, story, mode)

      const next = await evil.postHonest(bodies, mode)
      await prover.idle()
      assert.equal(await evil.tip(), next.header.index, 'the operator bonded again and goes on')
      assert.equal(evil.honest.at(-1)!.built.settled, 66)
      assert.equal(await neighbour.tip(), BigInt(neighbour.honest.length), 'the other lane is untouched')
      const status = prover.status()
      assert.deepEqual(status.problems, [])
      assert.deepEqual(
        status.lanes.map(({ lane, checkedIndex }) => [lane, checkedIndex]),
        [
          [evil.poster.lane, next.header.index],
          [neighbour.poster.lane, BigInt(neighbour.honest.length)],
        ],
      )
      const health = await fetch(`${prover.url}/healthz`)
      assert.equal(health.status, 200)
      assert.match(await (await fetch(`${prover.url}/metrics`)).text(), /prover_frauds_proven_total\{[^}]*\} \d+/)
    })
  }
})

describe('a lane whose funding runs out', () => {
  for (const mode of ['blob', 'calldata'] as const) {
    test(`${mode}: settling past the budget is caught`, async () => {
      await using anvil = await startAnvil()
      const fixture = await openTestLane({ anvil, fundedMicro: 600_000n })
      const evil = new EvilLane(fixture)
      await using prover = await startTestProver(fixture, { account: PROVER_ACCOUNT })
      const bodies = [fixture.fleet.rows(22), fixture.fleet.rows(22), fixture.fleet.rows(22)]
      const honest = (await evil.build(bodies)).built
      assert.ok(honest.settled > 22 && honest.settled < 44, `funds run out in chunk 1, not after ${honest.settled}`)
      const story = await overBudget({ rules: () => evil.rules(), fleet: fixture.fleet, bodies })
      await expectCaught(evil, prover, story, mode)
      const posted = await evil.postHonest(bodies, mode)
      await prover.idle()
      assert.equal(await evil.tip(), posted.header.index)
    })
  }
})
