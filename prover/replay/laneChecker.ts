import type { Hex } from 'viem'
import { fromHex } from '../../l1/bytes.ts'
import type { BatchHeader } from '../../protocol/batchHeader.ts'
import type { Witness } from '../../protocol/fraudProof.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { buildWitness } from '../../protocol/witness.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { type BatchData, readChunks } from './batchData.ts'
import { judgeSignatures } from './judgeSignatures.ts'
import { atChunk, type JudgedBatch, replayChunks } from './replayChunks.ts'
import type { SignatureVerifier } from './signaturePool.ts'

export interface PostedBatch {
  readonly header: BatchHeader
  readonly headerHash: Hex
  readonly dataWords: readonly Hex[]
}

/** A batch that claims a wrong root, and all that a proof of it needs of the lane. */
export interface FalseBatch {
  readonly batch: PostedBatch
  readonly parent: BatchHeader
  readonly data: BatchData
  /** The first wrong one. */
  readonly chunk: number
  readonly claimed: Uint8Array
  readonly computed: Uint8Array
  readonly witness: Witness
}

export type CheckResult =
  | { readonly kind: 'right'; readonly chunks: number; readonly records: number; readonly settled: number }
  | { readonly kind: 'wrong'; readonly falsehood: FalseBatch }
  /** Stands on a false batch: falls with it. */
  | { readonly kind: 'baseless' }

/**
 * Re-executes one lane, batch by batch, from its genesis. Its state is always the one after the newest batch that was found right:
 * after a false batch it waits there until L1 has rolled that one back.
 */
export class LaneChecker {
  readonly lane: number
  readonly state = new LaneState()
  #tip: BatchHeader
  #falsehood: FalseBatch | undefined
  readonly #rules: LaneRules
  readonly #domain: Uint8Array
  readonly #verifier: SignatureVerifier

  constructor(parts: { genesis: BatchHeader; rules: LaneRules; domain: Uint8Array; verifier: SignatureVerifier }) {
    this.lane = parts.genesis.lane
    this.#tip = parts.genesis
    this.#rules = parts.rules
    this.#domain = parts.domain
    this.#verifier = parts.verifier
  }

  /** Header of the newest batch that is right. */
  get tip(): BatchHeader {
    return this.#tip
  }

  get falsehood(): FalseBatch | undefined {
    return this.#falsehood
  }

  /** Whether the batch's data are needed to judge it. */
  needsData(batch: PostedBatch): boolean {
    return this.#falsehood === undefined || batch.header.index < this.#falsehood.batch.header.index
  }

  /**
   * Checks the next batch. `rules` must have followed L1 at least to the block that carries it: whatever is in effect at `asOf` was
   * written 30 minutes earlier, and `asOf` is before that block's time (docs/protocol.md §2, §7).
   */
  async check(batch: PostedBatch, data: BatchData): Promise<CheckResult> {
    const { header } = batch
    if (!this.needsData(batch)) return { kind: 'baseless' }
    if (header.index !== this.#tip.index + 1n) {
      throw brokenOrder(this.lane, `batch ${header.index} follows batch ${this.#tip.index}`)
    }
    if (header.forcedChunks !== 0) throw brokenOrder(this.lane, 'the rollup took forced chunks, which are only planned')
    const chunks = readChunks(data, header.chunkCount)
    const rules = this.#rules
    const signatures = await judgeSignatures({
      chunks,
      rules,
      asOf: header.asOf,
      domain: this.#domain,
      verifier: this.#verifier,
    })
    const judged: JudgedBatch = { asOf: header.asOf, chunks, postRoot: fromHex(header.postRoot), signatures }
    const { verdict, records, settled } = replayChunks(this.state, rules, judged)
    if (verdict.kind === 'right') {
      this.#tip = header
      return { kind: 'right', chunks: chunks.length, records, settled }
    }
    const { chunk, claimed, computed } = verdict
    const witness = atChunk(this.state, rules, judged, {
      chunk,
      look: (state) => buildWitness(state, rules, header.asOf, chunks[chunk]!.body),
    })
    this.#falsehood = { batch, parent: this.#tip, data, chunk, claimed, computed, witness }
    return { kind: 'wrong', falsehood: this.#falsehood }
  }

  /** L1 rolled back batch `index` and all after it. */
  rolledBack(index: bigint): void {
    if (index <= this.#tip.index) {
      // Only a proof that L1 accepted gets here, so it is we who are wrong, or L1 shows us another chain.
      throw brokenOrder(this.lane, `L1 rolled back batch ${index}, which re-execution finds right`)
    }
    if (this.#falsehood?.batch.header.index === index) this.#falsehood = undefined
  }
}

function brokenOrder(lane: number, what: string): BackfeedError {
  return new BackfeedError('LANE_DISAGREES', `lane ${lane}: ${what}`, { details: { lane } })
}
