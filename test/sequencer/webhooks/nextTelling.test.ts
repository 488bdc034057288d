import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DerivedBatch } from '../../../l1/derive/laneHistory.ts'
import { type LaneOnL1, nextTelling, type Told } from '../../../sequencer/webhooks/nextTelling.ts'
import { fc } from '../../support/property.ts'

/** A batch on L1: its contents, and the block that it lies in. */
type OnL1 = readonly [header: number, block: number]

const derived = ([header, block]: OnL1): DerivedBatch =>
  ({ headerHash: `0x${header}`, place: { blockHash: `0x${block}` } }) as unknown as DerivedBatch

/** Lives of a lane: batches come, move to another block, become others, fall, and become final. */
const lives = fc.array(
  fc.record({ do: fc.constantFrom('post', 'post', 'mine again', 'other', 'fall', 'finalise'), at: fc.nat({ max: 9 }) }),
  { maxLength: 40 },
)

test('after any life of a lane the receiver’s picture is the lane, told in an order that was possible', () => {
  fc.assert(
    fc.property(lives, fc.array(fc.nat({ max: 4 }), { maxLength: 40 }), (life, looks) => {
      let batches: OnL1[] = []
      let final = 0
      let fresh = 1
      const told: Told[] = []
      let toldFinal = 0
      const look = (most: number): void => {
        for (let i = 0; i < most; i++) {
          const l1: LaneOnL1 = {
            posted: batches.length,
            final,
            batch: (index) => batches[index - 1] && derived(batches[index - 1]!),
          }
          const newest = told.length > toldFinal ? told.at(-1) : undefined
          const next = nextTelling({ final: toldFinal, posted: told.length, newest }, l1)
          if (next === undefined) return
          switch (next.kind) {
            case 'POSTED': {
              assert.equal(next.index, told.length + 1)
              const { headerHash, place } = derived(batches[next.index - 1]!)
              told.push({ headerHash, blockHash: place.blockHash })
              break
            }
            case 'FINAL':
              assert.equal(next.index, ++toldFinal)
              assert.ok(next.index <= told.length, 'posted before it is final')
              break
            case 'REVERTED':
              assert.equal(next.index, told.length, 'the newest first')
              assert.ok(next.index > toldFinal, 'never what is final')
              told.pop()
              break
            default:
              next.kind satisfies never
          }
        }
      }
      for (const [i, { do: what, at }] of life.entries()) {
        const from = Math.min(final + at, batches.length)
        if (what === 'post') batches.push([fresh, fresh++])
        if (what === 'fall') batches = batches.slice(0, from)
        if (what === 'mine again') batches = batches.map(([header, block], k) => [header, k < from ? block : fresh++])
        if (what === 'other') batches = batches.map((batch, k) => (k < from ? batch : [fresh, fresh++]))
        if (what === 'finalise') final = Math.max(final, Math.min(from, batches.length))
        look(looks[i] ?? 0)
      }
      look(1_000)
      assert.deepEqual(
        told.map(({ headerHash, blockHash }) => [headerHash, blockHash]),
        batches.map(([header, block]) => [`0x${header}`, `0x${block}`]),
      )
      assert.equal(toldFinal, final)
    }),
    { numRuns: 2_000 },
  )
})
