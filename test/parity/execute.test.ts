import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bytesToHex, type Hex, keccak256, zeroHash } from 'viem'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { type BatchHeader, DataKind, genesisHeader, hashDataWords, hashHeader } from '../../protocol/batchHeader.ts'
import { recordDomain, recordMessage } from '../../protocol/domain.ts'
import { calldataOpening, encodeProof, type Witness } from '../../protocol/fraudProof.ts'
import { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { type Outcome, type OutcomeName, outcomeName, outcomeNames } from '../../protocol/outcome.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { recordEvse, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { buildWitness } from '../../protocol/witness.ts'
import { type Anvil, anvilAccount, startAnvil } from '../support/anvil.ts'
import { randomChunkBody } from '../support/generators/chunk.ts'
import { laneRulesOf, type Stretch } from '../support/generators/lane.ts'
import { type Random, withSeed } from '../support/generators/random.ts'
import type { World } from '../support/generators/record.ts'
import { answer, type Call, emptyLane, executeCall, revertName } from './executeCall.ts'
import { L1Lane } from './l1Lane.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { bodyRecords } from '../../protocol/chunk.ts'

// The same random chunks through TypeScript and through the deployed contracts of a real L1 node: equal roots after every
// chunk, or one of the two would call the other's honest batch a fraud.

const FILE = 'test/parity/execute.test.ts'
const STRETCH: Stretch = { from: 900 * 2_200_000, to: 900 * 2_200_300 }
const BATCHES = 14
const CHUNKS_PER_BATCH = 16

let anvil: Anvil

before(async () => {
  anvil = await startAnvil({ timestamp: STRETCH.from - 10_800 })
})
after(() => anvil.stop())

interface ExecutedChunk {
  /** preRoot ‖ body. */
  readonly bytes: Uint8Array
  readonly witness: Witness
  readonly postRoot: Hex
}

test('TypeScript and the contracts compute the same root after every chunk, every outcome met', async () => {
  const counts = new Map<OutcomeName, number>(outcomeNames.map((name) => [name, 0]))
  await withSeed(FILE, async (random, seed) => {
    const l1 = await L1Lane.open(anvil, random, STRETCH)
    const { deployment, lane, zone, facts } = l1
    const rules = laneRulesOf(facts)
    const state = new LaneState()
    const domain = recordDomain({ chainId: 31337n, rollup: deployment.rollup, lane })
    await assertSameLane(l1, domain)

    let mostGasOfLastChunk = 0n
    for (let batch = 1; batch <= BATCHES; batch++) {
      const asOf = STRETCH.from + Math.floor(((STRETCH.to - STRETCH.from) * batch) / BATCHES) - random.int(0, 20)
      const parentRoot = rootOf(state)
      const world: World = { facts, stretch: STRETCH, asOf, evseLeaf: (slot) => state.evse(slot) }
      const chunks: ExecutedChunk[] = []
      for (let i = 0; i < CHUNKS_PER_BATCH; i++) {
        const last = i === CHUNKS_PER_BATCH - 1
        const chunk = executeHere(random, { world, rules, state, domain, counts, mayBeShort: last })
        chunks.push(chunk)
      }
      const dataWords = chunks.map(({ bytes }) => keccak256(bytes))
      const header = headerOf({ lane, index: BigInt(batch), asOf, dataWords, postRoot: chunks.at(-1)!.postRoot })
      const context = { zone, scheme: 0, domain: bytesToHex(domain), parentRoot }
      for (const [k, chunk] of chunks.entries()) {
        const next = chunks[k + 1]
        const opening = calldataOpening(
          bytesToHex(chunk.bytes),
          next === undefined ? undefined : bytesToHex(next.bytes),
        )
        const proof = encodeProof({ dataWords, opening, witness: chunk.witness })
        const call = (given: BatchHeader): Call => executeCall(deployment.verifier, [given, context, k, proof])
        assert.deepEqual(
          await answer(anvil, call(header)),
          [chunk.postRoot, chunk.postRoot],
          `batch ${batch}, chunk ${k}`,
        )
        if (next === undefined) {
          // The negative twin: a lie about the last root is seen, and the truth beside it.
          const lie: Hex = `0x${'66'.repeat(31)}`
          assert.deepEqual(await answer(anvil, call({ ...header, postRoot: lie })), [lie, chunk.postRoot])
          const gas = await anvil.publicClient.estimateGas({ ...call(header), account: anvilAccount(0).address })
          if (gas > mostGasOfLastChunk) mostGasOfLastChunk = gas
        }
      }
    }
    console.log({
      seed,
      records: BATCHES * CHUNKS_PER_BATCH * 22,
      mostGasOfLastChunk,
      ...Object.fromEntries(counts),
    })
    assert.ok(state.lane().spentMicro > 0n, 'nothing was worth anything')
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

/** One random chunk, executed by TypeScript; `state` moves past it. */
function executeHere(
  random: Random,
  run: {
    world: World
    rules: LaneRules
    state: LaneState
    domain: Uint8Array
    counts: Map<OutcomeName, number>
    mayBeShort: boolean
  },
): ExecutedChunk {
  const { world, rules, state, domain, counts, mayBeShort } = run
  const preRoot = state.root()
  const judge = (settlement: Settlement, body: Uint8Array, at: number): Outcome =>
    settlement.settle(body, at, settlement.knowsEvse(body, at) && isSigned(rules, domain, body, at))

  // Records depend on what those before them did, so they are settled as they are made up, and taken back for the witness.
  state.beginUndo()
  const draft = new Settlement(state, rules, world.asOf)
  const first: Outcome[] = []
  const body = randomChunkBody(random, world, domain, (bytes, at) => first.push(judge(draft, bytes, at)))
  const draftRoot = rootOf(state)
  state.rollBack()
  assert.deepEqual(state.root(), preRoot)

  const witness = buildWitness(state, rules, world.asOf, bodyRecords(rules.layout, body))
  const settlement = new Settlement(state, rules, world.asOf)
  const outcomes = first.map((_, i) => judge(settlement, body, i * SIGNED_RECORD_BYTES))
  assert.deepEqual(outcomes, first)
  assert.equal(rootOf(state), draftRoot)
  for (const outcome of outcomes) counts.set(outcomeName(outcome), counts.get(outcomeName(outcome))! + 1)

  const whole = new Uint8Array([...preRoot, ...body])
  const end = mayBeShort ? whole.findLastIndex((byte) => byte !== 0) + 1 : whole.length
  return { bytes: whole.slice(0, Math.max(preRoot.length, end)), witness, postRoot: rootOf(state) }
}

function isSigned(rules: LaneRules, domain: Uint8Array, body: Uint8Array, at: number): boolean {
  const evse = recordEvse(body, at)
  const record = body.slice(at, at + RECORD_BYTES)
  const message = recordMessage(domain, record, rules.evseLat(evse), rules.evseLon(evse))
  return verifyP256(parseP256Key(rules.evseKey(evse)), message, body.slice(at + RECORD_BYTES, at + SIGNED_RECORD_BYTES))
}

function headerOf(parts: {
  lane: number
  index: bigint
  asOf: number
  dataWords: readonly Hex[]
  postRoot: Hex
}): BatchHeader {
  const { lane, index, asOf, dataWords, postRoot } = parts
  return {
    ...genesisHeader(lane, asOf),
    index,
    parentHash: zeroHash,
    postRoot,
    dataKind: DataKind.CALLDATA,
    chunkCount: dataWords.length,
    dataHash: hashDataWords(dataWords),
  }
}

/** What the rollup says of the lane is what TypeScript derives: the signing domain, and header 0 by its hash. */
async function assertSameLane({ deployment, lane }: L1Lane, domain: Uint8Array): Promise<void> {
  const address = deployment.rollup
  const read = { address, abi: rollupAbi, args: [lane] } as const
  assert.equal(await anvil.publicClient.readContract({ ...read, functionName: 'domainOf' }), bytesToHex(domain))
  const info = await anvil.publicClient.readContract({ ...read, functionName: 'lane' })
  const genesis = hashHeader(genesisHeader(lane, info.tipAsOf))
  assert.equal(info.tipHash.slice(0, 58), genesis.slice(0, 58))
}

function rootOf(state: LaneState): Hex {
  return bytesToHex(state.root())
}
