import type { L1Client } from '../../l1/client.ts'
import type { Contracts } from '../../l1/contracts.ts'
import { fetchBatchData } from '../../l1/derive/batchData.ts'
import type { BlobSources } from '../../l1/derive/fetchBlobs.ts'
import { LaneDeriver } from '../../l1/derive/laneDeriver.ts'
import type { DerivedBatch } from '../../l1/derive/laneHistory.ts'
import type { BlockRef } from '../../l1/follow.ts'
import { ForcedView } from '../../l1/forced/forcedView.ts'
import { type LaneView, openLaneView } from '../../l1/laneView/laneView.ts'
import { recordDomain } from '../../protocol/domain.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { ReplayMetrics } from './replayMetrics.ts'
import { type FalseBatch, LaneChecker } from './laneChecker.ts'
import type { SignatureVerifier } from './signaturePool.ts'

export interface LaneWatchSettings {
  readonly client: L1Client
  readonly contracts: Contracts
  readonly lane: number
  readonly blobs: BlobSources
  readonly verifier: SignatureVerifier
  readonly metrics: ReplayMetrics
  readonly log: Logger
  /** Called for every batch that re-execution finds right, again when the lane is re-executed. */
  readonly onRight?: ((batch: DerivedBatch) => void) | undefined
}

/** Batches checked of one lane before the others have their turn. */
const BATCHES_A_TURN = 8

/**
 * Keeps one lane checked up to a block of L1. What L1 holds of the lane now is compared with what was checked, rather than event
 * after event followed: so rollbacks and reorganisations need no undoing of their own.
 */
export class LaneWatch {
  readonly lane: number
  readonly #settings: LaneWatchSettings
  readonly #log: Logger
  readonly #deriver: LaneDeriver
  readonly #domain: Uint8Array
  readonly #queue: ForcedView
  #view: LaneView | undefined
  /** Of the view, which replaces them when L1 takes back what they were read from. */
  #rules: LaneRules | undefined
  #checker: LaneChecker | undefined
  #falsehood: FalseBatch | undefined
  #checkedUpTo = -1n

  constructor(settings: LaneWatchSettings) {
    const { client, contracts, lane } = settings
    this.lane = lane
    this.#settings = settings
    this.#log = settings.log.child({ stage: 'replay', lane })
    this.#deriver = new LaneDeriver({ client, contracts, lane })
    this.#queue = new ForcedView({ client, contracts, lane })
    this.#domain = recordDomain({ chainId: BigInt(client.chain.id), rollup: contracts.rollup, lane })
  }

  /** The block up to which everything was checked; −1: none. */
  get checkedUpTo(): bigint {
    return this.#checkedUpTo
  }

  /** Index of the newest batch that was found right. */
  get checkedIndex(): bigint {
    return this.#checker?.tip.header.index ?? 0n
  }

  get liveIndex(): bigint {
    return this.#deriver.history.isOpen ? this.#deriver.history.tip.header.index : 0n
  }

  /** The false batch that L1 holds, as far as it was followed. */
  get falsehood(): FalseBatch | undefined {
    return this.#falsehood
  }

  /** True when all of the lane up to `block` was checked; false when there is more to do. */
  async advance(block: BlockRef, signal: AbortSignal): Promise<boolean> {
    // The rules and the queue first: they must reach at least as far as the batches.
    this.#view ??= await openLaneView(this.#settings)
    await this.#view.catchUp(block, signal)
    // Not by what `catchUp` answers: that would be lost when a later step of this turn fails.
    if (this.#rules !== undefined && this.#rules !== this.#view.rules) {
      this.#startAgain('L1 reorganised away what the lane was checked against')
    }
    this.#rules = this.#view.rules
    await this.#queue.catchUp(block, signal)
    await this.#deriver.catchUp(block, signal)
    const { history } = this.#deriver
    if (!history.isOpen) {
      this.#checkedUpTo = block.number
      return true
    }
    const checker = this.#reconcile()
    for (let turn = 0; this.#falsehood === undefined; turn++) {
      const batch = history.batch(checker.tip.header.index + 1n)
      if (batch === undefined) break
      if (turn === BATCHES_A_TURN || signal.aborted) return false
      await this.#check(checker, batch, signal)
    }
    this.#checkedUpTo = block.number
    return true
  }

  /** Brings what was checked in line with what L1 now holds. */
  #reconcile(): LaneChecker {
    const { history } = this.#deriver
    const { genesis } = history
    const falseBatch = this.#falsehood?.batch
    if (falseBatch !== undefined && history.batch(falseBatch.header.index)?.headerHash !== falseBatch.headerHash) {
      this.#log.info({ batch: Number(falseBatch.header.index) }, 'the false batch fell')
      this.#falsehood = undefined
    }
    const tip = this.#checker?.tip
    if (tip !== undefined && tip.header.index > 0n) {
      const { headerHash } = tip
      if (history.batch(tip.header.index)?.headerHash !== headerHash) {
        if (history.fallen.some((fallen) => fallen.headerHash === headerHash)) {
          // Only a proof that L1 accepted gets here: either the verifier or this prover computes something else.
          throw new BackfeedError(
            'LANE_DISAGREES',
            `lane ${this.lane}: L1 rolled back batch ${tip.header.index}, which re-execution finds right`,
          )
        }
        this.#startAgain('a checked batch left L1')
      }
    }
    this.#checker ??= new LaneChecker({ genesis, domain: this.#domain, verifier: this.#settings.verifier })
    return this.#checker
  }

  async #check(checker: LaneChecker, batch: DerivedBatch, signal: AbortSignal): Promise<void> {
    const { metrics } = this.#settings
    const { header, headerHash } = batch
    const data = await fetchBatchData(this.#settings, batch, this.#rules!.layout, signal)
    const startedMs = performance.now()
    const result = await checker.check(batch, data, this.#rules!, this.#queue.entriesOf(header))
    metrics.checked(this.lane, result, (performance.now() - startedMs) / 1000)
    const fields = { batch: Number(header.index), headerHash }
    if (result.kind === 'right') {
      this.#log.debug({ ...fields, records: result.records, settled: result.settled }, 'batch is right')
      this.#settings.onRight?.(batch)
      return
    }
    this.#falsehood = result.falsehood
    this.#log.error(
      { ...fields, chunk: result.falsehood.chunk, submitter: header.submitter },
      'FALSE BATCH: L1 claims a root that re-execution does not yield',
    )
  }

  /** Simple and sure: blobs are in the archive, the rest is on L1. */
  #startAgain(why: string): void {
    if (this.#checker === undefined) return
    this.#log.warn(`${why}: the lane is re-executed from its genesis`)
    this.#checker = undefined
    this.#falsehood = undefined
    this.#checkedUpTo = -1n
  }
}
