import type { Hex } from 'viem'
import { writeU32 } from './bigEndian.ts'
import type { RecordRun } from './chunk.ts'
import type { Witness } from './fraudProof.ts'
import { type LaneRules, NONE, type Slots } from './laneRules.ts'
import type { LaneState } from './laneState.ts'
import { INTERVAL_SECONDS, TARIFF_BYTES } from './limits.ts'
import type { MerkleTree } from './merkleTree.ts'
import { isEmptyRecord, recordContract, recordEvse, recordStart } from './record.ts'
import { periodOfInterval } from './time.ts'
import { NODE_BYTES } from './treeNode.ts'

const SLOT_BYTES = 4

/**
 * The witness of a chunk's re-execution (docs/protocol.md §15.4). `state` is the lane before the chunk and is only read; `records`
 * are the chunk's own, or those of the queue for a forced one.
 *
 * Brings every registered slot that a record names, needed or not: which records reach which check is the verifier's to
 * find out, and a leaf too many costs less than a proof refused.
 */
export function buildWitness(state: LaneState, rules: LaneRules, asOf: number, records: RecordRun): Witness {
  const named = namedBy(records, rules, asOf)
  const versions = rising(named.versions)
  const tariffs = new Uint8Array(versions.length * TARIFF_BYTES)
  for (const [i, version] of versions.entries()) tariffs.set(rules.tariffs[version]!.bytes, i * TARIFF_BYTES)
  const evses = treeWitness(state.evses, rules.evses, named.evses)
  const contracts = treeWitness(state.contracts, rules.contracts, named.contracts)
  return {
    laneLeaf: toHex(state.laneLeafBytes()),
    fundingIndex: rules.fundingIndex(asOf),
    tariffVersions: versions,
    tariffs: toHex(tariffs),
    evses: evses.entries,
    evseSiblings: evses.siblings,
    contracts: contracts.entries,
    contractSiblings: contracts.siblings,
  }
}

interface Named {
  readonly evses: Set<number>
  readonly contracts: Set<number>
  readonly versions: Set<number>
}

function namedBy({ bytes, at: first, stride, count }: RecordRun, rules: LaneRules, asOf: number): Named {
  const named: Named = { evses: new Set(), contracts: new Set(), versions: new Set() }
  for (let i = 0; i < count; i++) {
    const at = first + i * stride
    if (isEmptyRecord(bytes, at)) continue
    const evse = recordEvse(bytes, at)
    const contract = recordContract(bytes, at)
    const start = recordStart(bytes, at)
    if (evse < rules.evses.count) named.evses.add(evse)
    if (contract < rules.contracts.count) named.contracts.add(contract)
    // Tariffs are long: leave out those of spans that cannot pass check 3.
    if (start * INTERVAL_SECONDS > asOf) continue
    const version = rules.tariffVersion(periodOfInterval(start))
    if (version !== NONE) named.versions.add(version)
  }
  return named
}

/** At least slot 0 is brought, so that the verifier can compute the subtree's root. */
function treeWitness(tree: MerkleTree, slots: Slots, named: ReadonlySet<number>): { entries: Hex; siblings: Hex } {
  const indices = named.size === 0 ? [0] : rising(named)
  const stride = SLOT_BYTES + NODE_BYTES + slots.descriptorBytes
  const entries = new Uint8Array(indices.length * stride)
  for (const [i, slot] of indices.entries()) {
    writeU32(entries, i * stride, slot)
    entries.set(tree.leaf(slot), i * stride + SLOT_BYTES)
    // Without a registration there is no descriptor: no record can use the entry, so none is read.
    if (slot < slots.count) entries.set(slots.descriptor(slot), i * stride + SLOT_BYTES + NODE_BYTES)
  }
  const siblings = tree.multiproof(indices)
  return { entries: toHex(entries), siblings: toHex(Buffer.concat(siblings)) }
}

function rising(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b)
}

function toHex(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`
}
