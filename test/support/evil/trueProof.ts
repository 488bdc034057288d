import type { Hex } from 'viem'
import { errorsAbi } from '../../../l1/abi/errors.ts'
import { type L1Account, accountFromKey } from '../../../l1/client.ts'
import { sendCall } from '../../../l1/contractCall.ts'
import { beaconSource, beaconConfigSchema } from '../../../l1/derive/beacon.ts'
import { type BatchData, fetchBatchData } from '../../../l1/derive/batchData.ts'
import type { DerivedBatch } from '../../../l1/derive/laneHistory.ts'
import { decodeRevert } from '../../../l1/revert.ts'
import { revertData } from '../../../l1/errors.ts'
import { fromHex } from '../../../l1/bytes.ts'
import type { BatchHeader } from '../../../protocol/batchHeader.ts'
import type { LaneRules } from '../../../protocol/laneRules.ts'
import type { LaneState } from '../../../protocol/laneState.ts'
import { buildWitness } from '../../../protocol/witness.ts'
import { judgeSignatures } from '../../../prover/replay/judgeSignatures.ts'
import { atChunk } from '../../../prover/replay/replayChunks.ts'
import { verifyAggregateSlab, verifySlab } from '../../../prover/replay/signatureWorker.ts'
import { commitFraudData, fraudCommitment, proveFraudData } from '../../../prover/respond/fraudCall.ts'
import type { SignatureVerifier } from '../../../prover/replay/signaturePool.ts'
import { buildProof } from '../../../prover/witness/buildProof.ts'
import { anvilPrivateKey } from '../anvil.ts'
import type { TestLane } from '../laneFixture.ts'
import type { Posted } from './postBatch.ts'
import { type RecordRun, settlingChunks } from '../../../protocol/chunk.ts'
import { entriesOfRun, forcedRuns } from '../../../protocol/forced.ts'
import { ForcedView } from '../../../l1/forced/forcedView.ts'

const SALT: Hex = `0x${'5a'.repeat(32)}`
const PROVER_INDEX = 6

export interface ProofMaterial {
  readonly fixture: TestLane
  readonly posted: Posted
  readonly parent: BatchHeader
  /** After the parent. Left as it was. */
  readonly state: LaneState
  readonly rules: LaneRules
  readonly domain: Uint8Array
}

/** Proofs of chunks as the prover makes them, for any chunk, false or not. */
export class TrueProofs {
  readonly prover: L1Account = accountFromKey(anvilPrivateKey(PROVER_INDEX))
  readonly #material: ProofMaterial
  #data: BatchData | undefined

  constructor(material: ProofMaterial) {
    this.#material = material
  }

  async proofOf(chunk: number): Promise<Hex> {
    const { posted, state, rules, domain } = this.#material
    const data = await this.#fetch()
    const { asOf, postRoot } = posted.header
    const forced = await this.#forcedRuns()
    const chunks = settlingChunks(rules.layout, data.chunks, forced)
    const verifier: SignatureVerifier = {
      verify: async (slab) => verifySlab(slab),
      verifyAggregate: async (slab) => verifyAggregateSlab(slab),
    }
    const signatures = await judgeSignatures({ chunks, rules, asOf, domain, verifier })
    const judged = { asOf, chunks, postRoot: fromHex(postRoot), signatures }
    const witness = atChunk(state, rules, judged, {
      chunk,
      look: (before) => buildWitness(before, rules, asOf, chunks[chunk]!.records),
    })
    const run = forced[chunk]
    const entries = run === undefined ? new Uint8Array() : entriesOfRun(run)
    return await buildProof({ batch: await this.#batch(), data, chunk, witness, forced: entries })
  }

  proveData(chunk: number, proof: Hex): Hex {
    const { posted, parent } = this.#material
    return proveFraudData({ header: posted.header, parent, chunk, salt: SALT, proof })
  }

  /** Commits for `chunk` and lets a block pass. */
  async commit(chunk: number): Promise<void> {
    const { fixture, posted } = this.#material
    const commitment = fraudCommitment({
      headerHash: posted.headerHash,
      chunk,
      prover: this.prover.address,
      salt: SALT,
    })
    const to = fixture.contracts.rollup
    await sendCall(
      { client: fixture.client, account: this.prover },
      { to, data: commitFraudData(commitment), label: 'commitFraud' },
    )
    await fixture.anvil.mine()
  }

  /** What `proveFraud` says from `from`: the name of its error, or `proven`. Changes nothing. */
  async outcome(data: Hex, from = this.prover.address): Promise<string> {
    const { client, contracts } = this.#material.fixture
    try {
      await client.call({ account: from, to: contracts.rollup, data, gas: 16_777_216n })
      return 'proven'
    } catch (error) {
      return decodeRevert(errorsAbi, revertData(error)).errorName
    }
  }

  async #forcedRuns(): Promise<RecordRun[]> {
    const { fixture, posted, rules } = this.#material
    const { client, contracts } = fixture
    const view = new ForcedView({ client, contracts, lane: posted.header.lane })
    await view.catchUp(await client.getBlock())
    return forcedRuns(view.entriesOf(posted.header), rules.layout.chunkRecords)
  }

  async #fetch(): Promise<BatchData> {
    const { fixture } = this.#material
    const beacon = beaconSource(beaconConfigSchema.parse({ url: fixture.anvil.url, blockId: 'number' }))
    this.#data ??= await fetchBatchData(
      { client: fixture.client, contracts: fixture.contracts, blobs: { sources: [beacon] } },
      await this.#batch(),
      this.#material.rules.layout,
    )
    return this.#data
  }

  async #batch(): Promise<DerivedBatch> {
    const { posted, fixture } = this.#material
    const { header, headerHash, dataWords, receipt } = posted
    const block = await fixture.client.getBlock({ blockHash: receipt.blockHash })
    const place = { blockNumber: receipt.blockNumber, blockHash: receipt.blockHash, txHash: receipt.transactionHash }
    return { header, headerHash, dataWords, submittedAt: Number(block.timestamp), place }
  }
}
