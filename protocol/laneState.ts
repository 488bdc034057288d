import { readU32, readU40, readU48, readU64, writeU32, writeU48, writeU64 } from './bigEndian.ts'
import { MerkleTree } from './merkleTree.ts'
import { hashPair, NODE_BYTES } from './treeNode.ts'
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
  /** The lane leaf at `beginUndo`. */
  #laneBefore: Uint8Array | undefined
  /** Lane leaves at `noteRoot`. */
  readonly #noted: Uint8Array[] = []
  #notedBefore = 0

  /** 31 bytes. */
  root(): Uint8Array {
    return stateRoot({
      evseRoot: this.evses.root(),
      contractRoot: this.contracts.root(),
      laneLeaf: this.laneLeafBytes(),
    })
  }

  /** The root as it is now will be wanted: `takeRoots` gives those of many moments for half of what each alone costs. */
  noteRoot(): void {
    this.evses.noteRoot()
    this.contracts.noteRoot()
    this.#noted.push(this.laneLeafBytes())
  }

  /** The roots noted since they were last taken, in order, 31 bytes each. */
  takeRoots(): Uint8Array[] {
    const [evseRoots, contractRoots] = [this.evses.takeRoots(), this.contracts.takeRoots()]
    this.#notedBefore = 0
    return this.#noted.splice(0).map((laneLeaf, i) => {
      const [from, to] = [i * NODE_BYTES, (i + 1) * NODE_BYTES]
      return stateRoot({
        evseRoot: evseRoots.subarray(from, to),
        contractRoot: contractRoots.subarray(from, to),
        laneLeaf,
      })
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
    this.evses.beginUndo()
    this.contracts.beginUndo()
    this.#laneBefore = this.laneLeafBytes()
    this.#notedBefore = this.#noted.length
  }

  keep(): void {
    this.evses.keep()
    this.contracts.keep()
    this.#laneBefore = undefined
  }

  /** Roots noted since are taken back with what they are of. */
  rollBack(): void {
    const laneBefore = this.#laneBefore
    if (laneBefore === undefined) throw new Error('rollBack without beginUndo')
    this.#laneBefore = undefined
    this.evses.rollBack()
    this.contracts.rollBack()
    this.setLaneLeafBytes(laneBefore)
    this.#noted.length = this.#notedBefore
  }

  /** To be called before an EVSE's and a contract's leaf are written. */
  willWrite(evse: number, contract: number): void {
    this.evses.willWrite(evse)
    this.contracts.willWrite(contract)
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
