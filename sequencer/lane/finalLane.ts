import type { DerivedBatch } from '../../l1/derive/laneHistory.ts'
import { toHex } from '../../l1/bytes.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { type ContractLeaf, decodeContractLeaf, LaneState, laneHash } from '../../protocol/laneState.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import type { WithdrawalClaim } from '../queries.ts'
import { settleBatch } from '../settleBatch.ts'
import type { LaneJournal } from '../store/journal.ts'

/** The lane's state in its newest final batch, which is what owners withdraw against. */
export class FinalLane {
  readonly #rules: LaneRules
  readonly #journal: LaneJournal
  readonly #state = new LaneState()
  #batch: DerivedBatch | undefined

  constructor(rules: LaneRules, journal: LaneJournal) {
    this.#rules = rules
    this.#journal = journal
  }

  async advance(batch: ClosedBatch, posted: DerivedBatch): Promise<void> {
    await settleBatch(this.#state, this.#rules, this.#journal, batch)
    this.#batch = posted
  }

  /** The arguments of a withdrawal; undefined before the first final batch. */
  credit(slot: number): (ContractLeaf & WithdrawalClaim) | undefined {
    if (this.#batch === undefined) return undefined
    const { contracts, evses } = this.#state
    const leaf = contracts.leaf(slot)
    return {
      ...decodeContractLeaf(leaf),
      header: this.#batch.header,
      headerHash: this.#batch.headerHash,
      evseRoot: toHex(evses.root()),
      laneHash: toHex(laneHash(this.#state.laneLeafBytes())),
      descriptor: toHex(this.#rules.contracts.descriptor(slot)),
      leaf: toHex(leaf),
      path: contracts.path(slot).map(toHex),
    }
  }
}
