import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bytesToHex, type Hex, keccak256 } from 'viem'
import { bodyRecords } from '../../protocol/chunk.ts'
import { recordMessage } from '../../protocol/domain.ts'
import { calldataOpening, encodeProof } from '../../protocol/fraudProof.ts'
import { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import type { Outcome } from '../../protocol/outcome.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { recordEvse, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { buildWitness } from '../../protocol/witness.ts'
import { type Anvil, startAnvil } from '../support/anvil.ts'
import { randomChunkBody } from '../support/generators/chunk.ts'
import { withSeed } from '../support/generators/random.ts'
import { answer, emptyLane, executeCall, revertName } from './executeCall.ts'
import { compareRandomRun, type DrawChunk, headerOf, rootOf, STRETCH } from './randomRun.ts'

// The same random chunks through TypeScript and through the deployed contracts of a real L1 node: equal roots after every
// chunk, or one of the two would call the other's honest batch a fraud.

const FILE = 'test/parity/execute.test.ts'
const BATCHES = 14
const CHUNKS_PER_BATCH = 16

let anvil: Anvil

before(async () => {
  anvil = await startAnvil({ timestamp: STRETCH.from - 10_800 })
})
after(() => anvil.stop())

test('TypeScript and the contracts compute the same root after every chunk, every outcome met', async () => {
  await withSeed(FILE, async (random, seed) => {
    const run = { layout: P256_LAYOUT, batches: BATCHES, chunksPerBatch: CHUNKS_PER_BATCH, draw }
    const { counts, mostGas } = await compareRandomRun(anvil, random, run)
    console.log({ seed, records: BATCHES * CHUNKS_PER_BATCH * 22, mostGas, ...Object.fromEntries(counts) })
    for (const [name, count] of counts) assert.ok(count > 0, `${name} never happened`)
  })
})

test('a witness of another state is refused, whatever it would lead to', async () => {
  await withSeed(FILE, async (random) => {
    const { deployment, zone, domain, lane } = await emptyLane(anvil)
    const { state, rules } = { state: new LaneState(), rules: new LaneRules(P256_LAYOUT) }
    const bytes = new Uint8Array([...state.root(), ...random.bytes(P256_LAYOUT.bodyBytes)])
    const dataWords = [keccak256(bytes)]
    const asOf = await anvil.now()
    const context = { zone, scheme: 0, domain, parentRoot: rootOf(state) }
    const opening = calldataOpening(bytesToHex(bytes), undefined)
    const proofOf = (from: LaneState): Hex =>
      encodeProof({
        dataWords,
        opening,
        witness: buildWitness(from, rules, asOf, bodyRecords(P256_LAYOUT, bytes.subarray(31))),
      })

    // A lane with no registration, no tariff and no money: noise moves its position by 22 and nothing else.
    const after = new LaneState()
    after.position = 22
    const header = headerOf({ lane, index: 1n, asOf, dataWords, postRoot: rootOf(after) })
    const honest = executeCall(deployment.verifier, [header, context, 0, proofOf(state)])
    assert.deepEqual(await answer(anvil, honest), [rootOf(after), rootOf(after)])
    const wrong = executeCall(deployment.verifier, [header, context, 0, proofOf(after)])
    await assert.rejects(answer(anvil, wrong), (error) => revertName(error) === 'WrongPreRoot')
  })
})

/** Every signature judged by itself. */
const draw: DrawChunk = ({ random, world, rules, domain, settlement }) => {
  const outcomes: Outcome[] = []
  const body = randomChunkBody(random, world, domain, (bytes, at) => {
    outcomes.push(settlement.settle(bytes, at, settlement.knowsEvse(bytes, at) && isSigned(rules, domain, bytes, at)))
  })
  return { body, outcomes }
}

function isSigned(rules: LaneRules, domain: Uint8Array, body: Uint8Array, at: number): boolean {
  const evse = recordEvse(body, at)
  const record = body.slice(at, at + RECORD_BYTES)
  const message = recordMessage(domain, record, rules.evseLat(evse), rules.evseLon(evse))
  return verifyP256(parseP256Key(rules.evseKey(evse)), message, body.slice(at + RECORD_BYTES, at + SIGNED_RECORD_BYTES))
}
