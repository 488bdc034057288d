import { fromHex } from '../../l1/bytes.ts'
import type { BatchData } from '../../l1/derive/batchData.ts'
import type { DerivedBatch, DerivedGenesis } from '../../l1/derive/laneHistory.ts'
import { settlingChunks } from '../../protocol/chunk.ts'
import type { BatchHeader } from '../../protocol/batchHeader.ts'
import { entriesOfRun, type ForcedEntry, forcedRuns } from '../../protocol/forced.ts'
import type { Witness } from '../../protocol/fraudProof.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { LaneState } from '../../protocol/laneState.ts'
import { buildWitness } from '../../protocol/witness.ts'
import { judgeSignatures } from './judgeSignatures.ts'
import { atChunk, type JudgedBatch, replayChunks } from './replayChunks.ts'
import type { SignatureVerifier } from './signaturePool.ts'

/** A batch that claims a wrong root, and all that a proof of it needs of the lane. */
export interface FalseBatch {
  readonly batch: DerivedBatch
  readonly parent: BatchHeader
  readonly data: BatchData
  /** The first wrong one. */
  readonly chunk: number
  readonly claimed: Uint8Array
  readonly computed: Uint8Array
  readonly witness: Witness
  /** What the chunk takes of the forced queue, 28 bytes each; empty unless it is a forced one. */
  readonly forced: Uint8Array
}

export type CheckResult =
  | { readonly kind: 'right'; readonly chunks: number; readonly records: number; readonly settled: number }
  | { readonly kind: 'wrong'; readonly falsehood: FalseBatch }

/**
 * Re-executes one lane, batch by batch, from its genesis. Its state is always the one after the newest batch that was found right:
 * a false batch leaves it where it was.
 */
export class LaneChecker {
  readonly state = new LaneState()
  #tip: Pick<DerivedBatch, 'header' | 'headerHash'>
  readonly #domain: Uint8Array
  readonly #verifier: SignatureVerifier

  constructor(parts: { genesis: DerivedGenesis; domain: Uint8Array; verifier: SignatureVerifier }) {
    this.#tip = parts.genesis
    this.#domain = parts.domain
    this.#verifier = parts.verifier
  }

  /** The newest batch that is right, or the lane's genesis. */
  get tip(): Pick<DerivedBatch, 'header' | 'headerHash'> {
    return this.#tip
  }

  /**
   * Checks the batch after the tip. `rules` must have followed L1 at least to the block that carries it: whatever is in effect at
   * `asOf` was written 30 minutes earlier, and `asOf` is before that block's time (docs/protocol.md §2, §7). `entries`: what the batch
   * takes of the forced queue.
   */
  async check(
    batch: DerivedBatch,
    data: BatchData,
    rules: LaneRules,
    entries: readonly ForcedEntry[],
  ): Promise<CheckResult> {
    const { header } = batch
    if (header.index !== this.#tip.header.index + 1n) {
      throw new RangeError(`batch ${header.index} does not follow batch ${this.#tip.header.index}`)
    }
    const forced = forcedRuns(entries, rules.layout.chunkRecords)
    if (header.forcedChunks !== forced.length) {
      throw new RangeError(`batch ${header.index} has ${header.forcedChunks} forced chunks, not ${forced.length}`)
    }
    const chunks = settlingChunks(rules.layout, data.chunks, forced)
    const domain = this.#domain
    const signatures = await judgeSignatures({ chunks, rules, asOf: header.asOf, domain, verifier: this.#verifier })
    const judged: JudgedBatch = { asOf: header.asOf, chunks, postRoot: fromHex(header.postRoot), signatures }
    const { verdict, records, settled } = replayChunks(this.state, rules, judged)
    if (verdict.kind === 'right') {
      this.#tip = batch
      return { kind: 'right', chunks: chunks.length, records, settled }
    }
    const { chunk, claimed, computed } = verdict
    const witness = atChunk(this.state, rules, judged, {
      chunk,
      look: (state) => buildWitness(state, rules, header.asOf, chunks[chunk]!.records),
    })
    const run = forced[chunk]
    const forcedBytes = run === undefined ? new Uint8Array(0) : entriesOfRun(run)
    return {
      kind: 'wrong',
      falsehood: { batch, parent: this.#tip.header, data, chunk, claimed, computed, witness, forced: forcedBytes },
    }
  }
}
