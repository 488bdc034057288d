import { readU32, readU40, readU48, readU64, writeU32, writeU48, writeU64 } from './bigEndian.ts'
import { hashPair, MerkleTree, NODE_BYTES } from './merkleTree.ts'
import { fromWideSum, readWideSum, type WideSum, writeWideSum } from './wideSum.ts'

/** A state root is cut to 31 bytes so that it is one field element (docs/protocol.md §6). */
export const ROOT_BYTES = 31

export interface EvseLeaf {
  /** End of the last settled span, interval. */
  readonly lastEnd: number
  readonly sessionStart: number
  readonly lastMeterWh: number
  readonly count: number
  readonly lastContract: number
}

export interface ContractLeaf {
  /** Cumulative. */
  readonly creditedMicro: bigint
  readonly energyWh: number
  readonly count: number
}

export interface LaneLeaf {
  readonly spentMicro: bigint
  readonly energyWh: number
  /** Records that settled. */
  readonly count: number
  /** Non-empty records processed outside forced chunks. */
  readonly position: number
}

export interface StateCopy {
  /** Leaves from slot 0 on, 32 bytes each. */
  readonly evses: Uint8Array
  readonly contracts: Uint8Array
  readonly laneLeaf: Uint8Array
}

const ZERO_NODE = new Uint8Array(NODE_BYTES)

/** Leaves as they were before each write since `beginUndo`, in order; taken back from the newest to the oldest. */
class LeafLog {
  readonly #tree: MerkleTree
  #slots = new Uint32Array(64)
  #leaves = new Uint8Array(64 * NODE_BYTES)
  #count = 0

  constructor(tree: MerkleTree) {
    this.#tree = tree
  }

  clear(): void {
    this.#count = 0
  }

  remember(slot: number): void {
    if (this.#count === this.#slots.length) this.#grow()
    const { leaves } = this.#tree
    const from = slot * NODE_BYTES
    const to = this.#count * NODE_BYTES
    for (let i = 0; i < NODE_BYTES; i++) this.#leaves[to + i] = leaves[from + i]!
    this.#slots[this.#count++] = slot
  }

  rollBack(): void {
    while (this.#count > 0) {
      const at = --this.#count * NODE_BYTES
      this.#tree.setLeaf(this.#slots[this.#count]!, this.#leaves.subarray(at, at + NODE_BYTES))
    }
  }

  #grow(): void {
    const slots = new Uint32Array(this.#slots.length * 2)
    slots.set(this.#slots)
    this.#slots = slots
    const leaves = new Uint8Array(this.#leaves.length * 2)
    leaves.set(this.#leaves)
    this.#leaves = leaves
  }
}

/**
 * The whole state of a lane. Leaves are kept in their encoding:
 *
 *   EVSE      lastEnd u32 | sessionStart u32 | lastMeterWh u40 | count u32 | lastContract u32 | 0…
 *   Contract  credited u128 | energyWh u64 | count u32 | 0…
 *   Lane      spent u96 | energyWh u64 | count u48 | position u48
 *
 * `settleRecord` alone changes it.
 */
export class LaneState {
  readonly evses = new MerkleTree()
  readonly contracts = new MerkleTree()
  readonly spent: WideSum = { hi: 0, lo: 0 }
  energyWh = 0
  count = 0
  position = 0
  readonly #evseLog = new LeafLog(this.evses)
  readonly #contractLog = new LeafLog(this.contracts)
  /** The lane leaf at `beginUndo`. */
  #laneBefore: Uint8Array | undefined

  /** 31 bytes. */
  root(): Uint8Array {
    return stateRoot({
      evseRoot: this.evses.root(),
      contractRoot: this.contracts.root(),
      laneLeaf: this.laneLeafBytes(),
    })
  }

  laneLeafBytes(): Uint8Array {
    const leaf = new Uint8Array(NODE_BYTES)
    writeWideSum(leaf, 0, this.spent)
    writeU64(leaf, 12, this.energyWh)
    writeU48(leaf, 20, this.count)
    writeU48(leaf, 26, this.position)
    return leaf
  }

  setLaneLeafBytes(leaf: Uint8Array): void {
    readWideSum(leaf, 0, this.spent)
    this.energyWh = readU64(leaf, 12)
    this.count = readU48(leaf, 20)
    this.position = readU48(leaf, 26)
  }

  evse(slot: number): EvseLeaf {
    const leaf = this.evses.leaf(slot)
    return {
      lastEnd: readU32(leaf, 0),
      sessionStart: readU32(leaf, 4),
      lastMeterWh: readU40(leaf, 8),
      count: readU32(leaf, 13),
      lastContract: readU32(leaf, 17),
    }
  }

  contract(slot: number): ContractLeaf {
    return decodeContractLeaf(this.contracts.leaf(slot))
  }

  lane(): LaneLeaf {
    return { spentMicro: fromWideSum(this.spent), energyWh: this.energyWh, count: this.count, position: this.position }
  }

  /** All of it, copied: 32 bytes a slot in use. */
  copy(): StateCopy {
    return {
      evses: this.evses.usedLeaves(),
      contracts: this.contracts.usedLeaves(),
      laneLeaf: this.laneLeafBytes(),
    }
  }

  /** Of a new state. Whether it comes to the right root is the caller's to check. */
  restore({ evses, contracts, laneLeaf }: StateCopy): void {
    this.evses.fill(evses)
    this.contracts.fill(contracts)
    this.setLaneLeafBytes(laneLeaf)
  }

  /** From here on every change is remembered, until `rollBack` takes them back or `keep` lets them stand. Not nested. */
  beginUndo(): void {
    this.#evseLog.clear()
    this.#contractLog.clear()
    this.#laneBefore = this.laneLeafBytes()
  }

  keep(): void {
    this.#laneBefore = undefined
  }

  rollBack(): void {
    const laneBefore = this.#laneBefore
    if (laneBefore === undefined) throw new Error('rollBack without beginUndo')
    this.#laneBefore = undefined
    this.#evseLog.rollBack()
    this.#contractLog.rollBack()
    this.setLaneLeafBytes(laneBefore)
  }

  /** To be called before an EVSE or contract leaf is written. */
  willWrite(evse: number, contract: number): void {
    this.evses.reserve(evse)
    this.contracts.reserve(contract)
    if (this.#laneBefore !== undefined) {
      this.#evseLog.remember(evse)
      this.#contractLog.remember(contract)
    }
    this.evses.markDirty(evse)
    this.contracts.markDirty(contract)
  }
}

export function decodeContractLeaf(leaf: Uint8Array): ContractLeaf {
  const credited: WideSum = { hi: 0, lo: 0 }
  readWideSum(leaf, 4, credited)
  return {
    creditedMicro: (BigInt(readU32(leaf, 0)) << 96n) | fromWideSum(credited),
    energyWh: readU64(leaf, 16),
    count: readU32(leaf, 24),
  }
}

/** H(H(evseRoot, contractRoot), H(laneLeaf, 0)) cut to 31 bytes. */
export function stateRoot(parts: { evseRoot: Uint8Array; contractRoot: Uint8Array; laneLeaf: Uint8Array }): Uint8Array {
  const trees = hashPair(parts.evseRoot, parts.contractRoot)
  return hashPair(trees, laneHash(parts.laneLeaf)).slice(0, ROOT_BYTES)
}

/** H(laneLeaf, 0): what joins the trees to the root. */
export function laneHash(laneLeaf: Uint8Array): Uint8Array {
  return hashPair(laneLeaf, ZERO_NODE)
}

/** Writes an EVSE leaf's changing fields. `count` rises by one. */
export function writeEvseLeaf(
  leaves: Uint8Array,
  at: number,
  next: { lastEnd: number; sessionStart: number; meterHigh: number; meterLow: number; lastContract: number },
): void {
  writeU32(leaves, at, next.lastEnd)
  writeU32(leaves, at + 4, next.sessionStart)
  leaves[at + 8] = next.meterHigh
  writeU32(leaves, at + 9, next.meterLow)
  writeU32(leaves, at + 13, readU32(leaves, at + 13) + 1)
  writeU32(leaves, at + 17, next.lastContract)
}
