import { readU32, readU48, writeU32, writeU48 } from '../../../protocol/bigEndian.ts'
import type { LaneRules } from '../../../protocol/laneRules.ts'
import type { LaneState } from '../../../protocol/laneState.ts'
import { SIGNED_RECORD_BYTES } from '../../../protocol/record.ts'
import { periodOfInterval } from '../../../protocol/time.ts'
import type { Fleet } from '../fleet.ts'
import type { Lie } from './buildBatch.ts'

export interface LieMaterial {
  /** Every call gives rules of their own, as L1 has them. */
  readonly rules: () => Promise<LaneRules>
  readonly fleet: Fleet
  /** Honest bodies. */
  readonly bodies: readonly Uint8Array[]
}

export interface Story {
  readonly lie: Lie
  readonly bodies: readonly Uint8Array[]
}

const MIDDLE = 1

/** For lanes of one chunk. */
export const GENEROUS: Lie = {
  name: 'credits a contract a dollar that nobody fed in',
  chunk: 0,
  doctor: (state) => credit(state, 0, 1_000_000),
}

/** One story of each kind of lie, all told in chunk 1 of 3 but the last. */
export async function everyLie(material: LieMaterial): Promise<Story[]> {
  return [
    { bodies: material.bodies, lie: { name: 'a record counted twice', chunk: MIDDLE, doctor: countTwice } },
    unsigned(material),
    await unknownEvse(material),
    await otherPrice(material),
    ...rootLies(material.bodies),
  ]
}

/** Lies that look the same in lanes of either scheme. */
export function rootLies(bodies: readonly Uint8Array[]): Story[] {
  return [
    { bodies, lie: { name: 'wrong amount', chunk: MIDDLE, doctor: (state) => credit(state, 0, 1_000_000) } },
    { bodies, lie: { name: 'wrong pre-root of a middle chunk', chunk: MIDDLE, claim: flip } },
    { bodies, lie: { name: 'wrong last root', chunk: bodies.length - 1, claim: flip } },
  ]
}

/** Wants a lane whose funding does not last through chunk 1. */
export async function overBudget({ rules, bodies }: LieMaterial): Promise<Story> {
  const rich = await rules()
  rich.applyCheckpointAdded({ index: 0, effectiveFrom: rich.checkpoints[0]!.effectiveFrom, fundedMicro: 10n ** 12n })
  return { bodies, lie: { name: 'over budget', chunk: MIDDLE, rules: rich } }
}

function unsigned({ bodies }: LieMaterial): Story {
  const forged = bodies[MIDDLE]!.slice()
  forged[SIGNED_RECORD_BYTES - 1]! ^= 1
  return {
    bodies: bodies.with(MIDDLE, forged),
    lie: { name: 'a record nobody signed', chunk: MIDDLE, believes: true },
  }
}

async function unknownEvse({ rules, fleet, bodies }: LieMaterial): Promise<Story> {
  const more = await rules()
  const slot = more.evses.count
  const { activeFrom } = { activeFrom: more.evses.activeFrom[0]! }
  more.applyEvsesRegistered({ firstSlot: slot, activeFrom, descriptors: fleet.evseDescriptors[0]! })
  const start = readU32(bodies[MIDDLE]!, 8)
  const record = {
    evse: slot,
    contract: 0,
    start,
    intervals: 1,
    energyWh: 20,
    meterEndWh: 5_000,
    socDrop: 8,
    tempC: 20,
  }
  const body = bodies[MIDDLE]!.slice()
  body.set(fleet.sign(record, 0))
  return { bodies: bodies.with(MIDDLE, body), lie: { name: 'an unknown EVSE', chunk: MIDDLE, rules: more } }
}

async function otherPrice({ rules, bodies }: LieMaterial): Promise<Story> {
  const dear = await rules()
  const period = periodOfInterval(readU32(bodies[MIDDLE]!, 8))
  dear.applyPricesSet({ firstPeriod: period, prices: [dear.priceNano(period) * 2] })
  return { bodies, lie: { name: 'the price of another period', chunk: MIDDLE, rules: dear } }
}

/** Adds to what a contract was credited, and to the lane's spending, so that the sums still agree. */
function credit(state: LaneState, slot: number, micro: number): void {
  const leaf = state.contracts.leaf(slot)
  writeU48(leaf, 10, readU48(leaf, 10) + micro)
  state.contracts.setLeaf(slot, leaf)
  state.spent.lo += micro
}

/** Pays the chunk's first record again. */
function countTwice(state: LaneState, body: Uint8Array): void {
  const evse = readU32(body, 0)
  const contract = readU32(body, 4)
  const leaf = state.evses.leaf(evse)
  writeU32(leaf, 13, readU32(leaf, 13) + 1)
  state.evses.setLeaf(evse, leaf)
  credit(state, contract, 10_000)
  state.count++
}

export function flip(root: Uint8Array): Uint8Array {
  const other = root.slice()
  other[30]! ^= 1
  return other
}
