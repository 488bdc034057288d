import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Outcome } from '../../protocol/outcome.ts'
import { BLS_LAYOUT } from '../../protocol/scheme.ts'
import { type Anvil, startAnvil } from '../support/anvil.ts'
import { BLS_SPOILS, randomBlsChunkBody } from '../support/generators/blsChunk.ts'
import { withSeed } from '../support/generators/random.ts'
import { compareRandomRun, type DrawChunk, STRETCH } from './randomRun.ts'

// As execute.test.ts, for a BLS lane: blst here, the EIP-2537 precompiles there.

const FILE = 'test/parity/executeBls.test.ts'
const BATCHES = 10
const CHUNKS_PER_BATCH = 12

let anvil: Anvil

before(async () => {
  anvil = await startAnvil({ timestamp: STRETCH.from - 10_800 })
})
after(() => anvil.stop())

test('BLS: the same root after every chunk, whatever its aggregate, every outcome met', async () => {
  await withSeed(FILE, async (random, seed) => {
    const spoilt = new Map<string, number>(BLS_SPOILS.map((name) => [name, 0]))
    let drawn = 0
    const draw: DrawChunk = ({ world, domain, settlement }) => {
      // Good and bad by turns, and every kind of bad.
      const turn = drawn++
      const spoiltBy = turn % 2 === 0 ? undefined : BLS_SPOILS[(turn >> 1) % BLS_SPOILS.length]
      const outcomes: Outcome[] = []
      const body = randomBlsChunkBody(random, { world, domain, spoiltBy }, (bytes, at, aggregateIsGood) => {
        const outcome = settlement.settle(bytes, at, aggregateIsGood)
        outcomes.push(outcome)
        return outcome !== Outcome.EMPTY && outcome !== Outcome.UNKNOWN_EVSE
      })
      if (spoiltBy !== undefined && outcomes.includes(Outcome.BAD_SIGNATURE)) {
        spoilt.set(spoiltBy, spoilt.get(spoiltBy)! + 1)
      }
      return { body, outcomes }
    }
    const run = { layout: BLS_LAYOUT, batches: BATCHES, chunksPerBatch: CHUNKS_PER_BATCH, draw }
    const { counts, mostGas } = await compareRandomRun(anvil, random, run)
    console.log({ seed, chunks: BATCHES * CHUNKS_PER_BATCH, mostGas, ...Object.fromEntries(counts) })
    for (const [name, count] of spoilt) assert.ok(count > 0, `no record met an aggregate spoilt by ${name}`)
    for (const [name, count] of counts) assert.ok(count > 0, `${name} never happened`)
  })
})
