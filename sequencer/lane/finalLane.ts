import type { DerivedBatch } from '../../l1/derive/laneHistory.ts'
import { toHex } from '../../l1/bytes.ts'
import { readU64, writeU64 } from '../../protocol/bigEndian.ts'
import type { LaneRules } from '../../protocol/laneRules.ts'
import { type ContractLeaf, decodeContractLeaf, LaneState, laneHash } from '../../protocol/laneState.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import type { WithdrawalClaim } from '../queries.ts'
import { settleBatch } from '../settleBatch.ts'
import type { LaneJournal } from '../store/journal.ts'
import type { SnapshotKeeper } from '../store/snapshotKeeper.ts'

/** The lane's state in its newest final batch, which is what owners withdraw against. */
export class FinalLane {
  readonly #rules: LaneRules
  readonly #journal: LaneJournal
  readonly #snapshots: SnapshotKeeper
  #state = new LaneState()
  /** What `#state` has come to. */
  #index = 0
  #batch: DerivedBatch | undefined

  private constructor(parts: { rules: LaneRules; journal: LaneJournal; snapshots: SnapshotKeeper }) {
    this.#rules = parts.rules
    this.#journal = parts.journal
    this.#snapshots = parts.snapshots
  }

  /** From its snapshot, if that is of a batch of ours: of `closed`, by index. */
  static async open(parts: {
    readonly rules: LaneRules
    readonly journal: LaneJournal
    readonly snapshots: SnapshotKeeper
    readonly closed: (index: number) => ClosedBatch | undefined
  }): Promise<FinalLane> {
    const lane = new FinalLane(parts)
    const saved = await parts.snapshots.load()
    if (saved?.length !== 4) return lane
    const [count, laneLeaf, evses, contracts] = saved as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
    const state = new LaneState()
    state.restore({ evses, contracts, laneLeaf })
    const index = readU64(count, 0)
    const root = parts.closed(index)?.postRoot
    if (root === undefined || Buffer.compare(root, state.root()) !== 0) return lane
    lane.#state = state
    lane.#index = index
    return lane
  }

  /** Batches in their order, each once it is final. */
  async advance(batch: ClosedBatch, posted: DerivedBatch): Promise<void> {
    if (batch.index > this.#index) {
      await settleBatch(this.#state, this.#rules, this.#journal, batch)
      this.#index = batch.index
      this.#snapshots.wrote(batch.rowCount, () => this.#parts())
    }
    // A state ahead of its batch is nobody's to see.
    this.#batch = batch.index === this.#index ? posted : undefined
  }

  async close(): Promise<void> {
    await this.#snapshots.close(() => this.#parts())
  }

  /** Copied now: the file is written while batches go on becoming final. */
  #parts(): Uint8Array[] {
    const { laneLeaf, evses, contracts } = this.#state.copy()
    const count = new Uint8Array(8)
    writeU64(count, 0, this.#index)
    return [count, laneLeaf, evses, contracts]
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
