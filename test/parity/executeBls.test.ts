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
const BATCHES = 7
const CHUNKS_PER_BATCH = 10

let anvil: Anvil

before(async () => {
  anvil = await startAnvil({ timestamp: STRETCH.from - 10_800 })
})
after(() => anvil.stop())

test('BLS: the same root after every chunk, whatever its aggregate, every outcome met', async () => {
  await withSeed(FILE, async (random, seed) => {
    const spoilt = new Map<string, number>(BLS_SPOILS.map((name) => [name, 0]))
    const draw: DrawChunk = ({ world, domain, settlement }) => {
      const outcomes: Outcome[] = []
      const { body, spoiltBy } = randomBlsChunkBody(random, world, domain, (bytes, at, aggregateIsGood) => {
        const outcome = settlement.settle(bytes, at, aggregateIsGood)
        outcomes.push(outcome)
        return outcome !== Outcome.EMPTY && outcome !== Outcome.UNKNOWN_EVSE
      })
      if (spoiltBy !== undefined && outcomes.includes(Outcome.BAD_SIGNATURE)) {
        spoilt.set(spoiltBy, (spoilt.get(spoiltBy) ?? 0) + 1)
      }
      return { body, outcomes }
    }
    const run = { layout: BLS_LAYOUT, batches: BATCHES, chunksPerBatch: CHUNKS_PER_BATCH, draw }
    const { counts, mostGas } = await compareRandomRun(anvil, random, run)
    console.log({ seed, chunks: BATCHES * CHUNKS_PER_BATCH, mostGas, ...Object.fromEntries(counts) })
    console.log(Object.fromEntries(spoilt))
    for (const [name, count] of counts) assert.ok(count > 0, `${name} never happened`)
  })
})
