import assert from 'node:assert/strict'
import { bytesToHex, type Hex, keccak256, zeroHash } from 'viem'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { type BatchHeader, DataKind, genesisHeader, hashDataWords, hashHeader } from '../../protocol/batchHeader.ts'
import { bodyRecords } from '../../protocol/chunk.ts'
import { type ChunkSignatures, chunkSignatures } from '../../protocol/chunkSignatures.ts'
import { recordDomain } from '../../protocol/domain.ts'
import { calldataOpening, encodeProof, type Witness } from '../../protocol/fraudProof.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { type Outcome, type OutcomeName, outcomeName, outcomeNames } from '../../protocol/outcome.ts'
import type { SchemeLayout } from '../../protocol/scheme.ts'
import { Settlement } from '../../protocol/settlement.ts'
import { buildWitness } from '../../protocol/witness.ts'
import { type Anvil, anvilAccount } from '../support/anvil.ts'
import { laneRulesOf, type Stretch } from '../support/generators/lane.ts'
import type { Random } from '../support/generators/random.ts'
import type { World } from '../support/generators/record.ts'
import { answer, type Call, executeCall } from './executeCall.ts'
import { L1Lane } from './l1Lane.ts'

export const STRETCH: Stretch = { from: 900 * 2_200_000, to: 900 * 2_200_300 }

/** Makes up a chunk's body, and settles its records on the way: each depends on what those before it did. */
export type DrawChunk = (draft: {
  readonly random: Random
  readonly world: World
  readonly rules: LaneRules
  readonly domain: Uint8Array
  readonly settlement: Settlement
}) => { readonly body: Uint8Array; readonly outcomes: readonly Outcome[] }

export interface RandomRun {
  readonly layout: SchemeLayout
  readonly batches: number
  readonly chunksPerBatch: number
  readonly draw: DrawChunk
}

interface ExecutedChunk {
  /** preRoot ‖ body. */
  readonly bytes: Uint8Array
  readonly witness: Witness
  readonly postRoot: Hex
}

/**
 * A lane on L1 with a history, and random chunks through TypeScript and through the deployed contracts: equal roots after every one. Answers
 * how often every outcome was met, and the most gas that a batch's last chunk took.
 */
export async function compareRandomRun(
  anvil: Anvil,
  random: Random,
  run: RandomRun,
): Promise<{ counts: Map<OutcomeName, number>; mostGas: bigint }> {
  const counts = new Map<OutcomeName, number>(outcomeNames.map((name) => [name, 0]))
  const l1 = await L1Lane.open(anvil, random, STRETCH, run.layout)
  const { deployment, lane, zone, facts } = l1
  const rules = laneRulesOf(facts)
  const state = new LaneState()
  const domain = recordDomain({ chainId: 31337n, rollup: deployment.rollup, lane })
  const signatures = chunkSignatures({ rules, domain })
  await assertSameLane(anvil, l1, domain)

  let mostGas = 0n
  for (let batch = 1; batch <= run.batches; batch++) {
    const asOf = STRETCH.from + Math.floor(((STRETCH.to - STRETCH.from) * batch) / run.batches) - random.int(0, 20)
    const parentRoot = rootOf(state)
    const world: World = { facts, stretch: STRETCH, asOf, evseLeaf: (slot) => state.evse(slot) }
    const chunks: ExecutedChunk[] = []
    for (let i = 0; i < run.chunksPerBatch; i++) {
      const mayBeShort = i === run.chunksPerBatch - 1
      const given = { world, rules, state, domain, signatures, counts, mayBeShort, draw: run.draw }
      chunks.push(executeHere(random, given))
    }
    const dataWords = chunks.map(({ bytes }) => keccak256(bytes))
    const header = headerOf({ lane, index: BigInt(batch), asOf, dataWords, postRoot: chunks.at(-1)!.postRoot })
    const context = { zone, scheme: run.layout.scheme, domain: bytesToHex(domain), parentRoot }
    for (const [k, chunk] of chunks.entries()) {
      const next = chunks[k + 1]
      const opening = calldataOpening(bytesToHex(chunk.bytes), next === undefined ? undefined : bytesToHex(next.bytes))
      const proof = encodeProof({ dataWords, opening, witness: chunk.witness })
      const call = (about: BatchHeader): Call => executeCall(deployment.verifier, [about, context, k, proof])
      const roots = await answer(anvil, call(header))
      assert.deepEqual(roots, [chunk.postRoot, chunk.postRoot], `batch ${batch}, chunk ${k}`)
      if (next === undefined) {
        // The negative twin: a lie about the last root is seen, and the truth beside it.
        const lie: Hex = `0x${'66'.repeat(31)}`
        assert.deepEqual(await answer(anvil, call({ ...header, postRoot: lie })), [lie, chunk.postRoot])
        const gas = await anvil.publicClient.estimateGas({ ...call(header), account: anvilAccount(0).address })
        if (gas > mostGas) mostGas = gas
      }
    }
  }
  assert.ok(state.lane().spentMicro > 0n, 'nothing was worth anything')
  return { counts, mostGas }
}

/** One random chunk, executed by TypeScript; `state` moves past it. */
function executeHere(
  random: Random,
  run: {
    world: World
    rules: LaneRules
    state: LaneState
    domain: Uint8Array
    signatures: ChunkSignatures
    counts: Map<OutcomeName, number>
    mayBeShort: boolean
    draw: DrawChunk
  },
): ExecutedChunk {
  const { world, rules, state, domain, counts, mayBeShort } = run
  const preRoot = state.root()

  // Settled as they are made up, and taken back for the witness.
  state.beginUndo()
  const draft = new Settlement(state, rules, world.asOf)
  const { body, outcomes } = run.draw({ random, world, rules, domain, settlement: draft })
  const draftRoot = rootOf(state)
  state.rollBack()
  assert.deepEqual(state.root(), preRoot)

  const records = bodyRecords(rules.layout, body)
  const witness = buildWitness(state, rules, world.asOf, records)
  const settlement = new Settlement(state, rules, world.asOf)
  const verdicts = run.signatures.judge(settlement, { preRoot, body, records, isForced: false })
  const settled = [...verdicts].map((verdict, i) =>
    settlement.settle(records.bytes, records.at + i * records.stride, verdict === 1),
  )
  assert.deepEqual(settled, outcomes)
  assert.equal(rootOf(state), draftRoot)
  for (const outcome of outcomes) counts.set(outcomeName(outcome), counts.get(outcomeName(outcome))! + 1)

  const whole = new Uint8Array([...preRoot, ...body])
  const end = mayBeShort ? whole.findLastIndex((byte) => byte !== 0) + 1 : whole.length
  return { bytes: whole.slice(0, Math.max(preRoot.length, end)), witness, postRoot: rootOf(state) }
}

export function headerOf(parts: {
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
async function assertSameLane(anvil: Anvil, { deployment, lane }: L1Lane, domain: Uint8Array): Promise<void> {
  const address = deployment.rollup
  const read = { address, abi: rollupAbi, args: [lane] } as const
  assert.equal(await anvil.publicClient.readContract({ ...read, functionName: 'domainOf' }), bytesToHex(domain))
  const info = await anvil.publicClient.readContract({ ...read, functionName: 'lane' })
  const genesis = hashHeader(genesisHeader(lane, info.tipAsOf))
  assert.equal(info.tipHash.slice(0, 58), genesis.slice(0, 58))
}

export function rootOf(state: LaneState): Hex {
  return bytesToHex(state.root())
}
