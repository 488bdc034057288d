import {
  type ContractDescriptor,
  type EvseDescriptor,
  encodeContractDescriptor,
  encodeEvseDescriptor,
} from '../../../protocol/descriptor.ts'
import { LaneRules } from '../../../protocol/laneRules.ts'
import { encodeTariff, type Tariff, UNREACHED_TEMP_C, UNREACHED_U32 } from '../../../protocol/tariff.ts'
import { type FleetKey, fleetKey } from '../fleet.ts'
import { evseKey } from './evseKey.ts'
import type { Random } from './random.ts'
import { P256_LAYOUT, type SchemeLayout } from '../../../protocol/scheme.ts'

/** What L1 says of one lane, as plain facts, with the keys of its chargers. */
export interface LaneFacts {
  readonly layout: SchemeLayout
  readonly evses: readonly EvseFacts[]
  readonly contracts: readonly ContractFacts[]
  readonly tariffs: readonly { readonly fromPeriod: number; readonly tariff: Tariff }[]
  /** By period, 10^-9 token per Wh. */
  readonly prices: ReadonlyMap<number, number>
  readonly checkpoints: readonly { readonly effectiveFrom: number; readonly fundedMicro: bigint }[]
}

export interface EvseFacts {
  readonly key: FleetKey
  readonly descriptor: EvseDescriptor
  readonly activeFrom: number
  readonly endsAt: number
}

export interface ContractFacts {
  readonly descriptor: ContractDescriptor
  readonly activeFrom: number
  readonly endsAt: number
}

/** The stretch of time in which a generated lane has prices; seconds, whole periods. */
export interface Stretch {
  readonly from: number
  readonly to: number
}

const OPEN_END = 0xffffffff

/** A lane of `slots` chargers and contracts: most of them up for the whole stretch, some beginning or ending inside it. */
export function randomLane(random: Random, stretch: Stretch, slots: number, layout = P256_LAYOUT): LaneFacts {
  const periods = { first: stretch.from / 900, last: stretch.to / 900 }
  const middle = Math.floor((periods.first + periods.last) / 2)
  return {
    layout,
    evses: Array.from({ length: slots }, () => ({
      key: fleetKey(layout, random),
      descriptor: { ...randomEvse(random), key: new Uint8Array(64) },
      ...randomTimes(random, stretch),
    })).map((evse) => ({ ...evse, descriptor: { ...evse.descriptor, key: evse.key.publicKey } })),
    contracts: Array.from({ length: slots }, (_, slot) => ({
      descriptor: randomContract(random, slot),
      ...randomTimes(random, stretch),
    })),
    // The first version begins a little late, so that some periods have no tariff.
    tariffs: [periods.first + 3, middle, middle + 7, periods.last - 20].map((fromPeriod) => ({
      fromPeriod,
      tariff: randomTariff(random),
    })),
    prices: randomPrices(random, periods),
    checkpoints: randomCheckpoints(random, stretch),
  }
}

export function laneRulesOf(facts: LaneFacts): LaneRules {
  const rules = new LaneRules(facts.layout)
  for (const [slot, { descriptor, activeFrom, endsAt }] of facts.evses.entries()) {
    rules.applyEvsesRegistered({ firstSlot: slot, activeFrom, descriptors: encodeEvseDescriptor(descriptor) })
    if (endsAt !== OPEN_END) rules.applyEvseEnded({ slot, endsAt })
  }
  for (const [slot, { descriptor, activeFrom, endsAt }] of facts.contracts.entries()) {
    rules.applyContractsEnrolled({ firstSlot: slot, activeFrom, descriptors: encodeContractDescriptor(descriptor) })
    if (endsAt !== OPEN_END) rules.applyContractEnded({ slot, endsAt })
  }
  for (const [version, { fromPeriod, tariff }] of facts.tariffs.entries()) {
    rules.applyTariffSet({ version, fromPeriod, tariff: encodeTariff(tariff) })
  }
  for (const [firstPeriod, price] of facts.prices) rules.applyPricesSet({ firstPeriod, prices: [price] })
  for (const [index, checkpoint] of facts.checkpoints.entries()) rules.applyCheckpointAdded({ index, ...checkpoint })
  return rules
}

function randomTimes(random: Random, stretch: Stretch): { activeFrom: number; endsAt: number } {
  const length = stretch.to - stretch.from
  const early = random.int(1, stretch.from)
  if (random.chance(0.7)) return { activeFrom: early, endsAt: OPEN_END }
  const activeFrom = random.chance(0.5) ? early : stretch.from + random.int(0, Math.floor(length * 1.2))
  const endsAt = random.chance(0.3) ? OPEN_END : stretch.from + random.int(0, length)
  return { activeFrom, endsAt }
}

export function randomEvse(random: Random): Omit<EvseDescriptor, 'key'> {
  return {
    ratedW: random.chance(0.2) ? 0xffffff : random.logInt(1_000, 0xffffff),
    lat: random.int(-900_000_000, 900_000_000),
    lon: random.int(-1_800_000_000, 1_800_000_000),
    radiusM: random.int(0, 0xffff),
    depositMicro: BigInt(random.int(0, 1000)),
  }
}

export function randomContract(random: Random, slot: number, maxIncentiveBps = 0xffff): ContractDescriptor {
  return {
    vehicle: BigInt(slot + 1),
    incentiveBps: random.pick(
      [0, 10_000, maxIncentiveBps, random.int(0, maxIncentiveBps)].map((bps) => Math.min(bps, maxIncentiveBps)),
    ),
    capacityWh: random.chance(0.3) ? 0xfffff : random.logInt(1_000, 0xfffff),
    vehicleKey: random.chance(0.5) ? evseKey(random).publicKey : undefined,
  }
}

export function randomTariff(random: Random, maxIncentiveBps = 0xffff): Tariff {
  const rising = (count: number, high: number, unreached: number): number[] => {
    const used = random.int(0, count - 1)
    const thresholds = Array.from({ length: used }, () => random.logInt(0, high)).sort((a, b) => a - b)
    return [0, ...thresholds, ...Array<number>(count - 1 - used).fill(unreached)]
  }
  return {
    socToleranceBps: random.pick([0, 1, 500, 16_383, random.int(0, 16_383)]),
    maxIncentiveBps,
    powerW: rising(4, 0xffffff, UNREACHED_U32),
    sessionIntervals: rising(4, 500, UNREACHED_U32),
    tierBps: Array.from({ length: 16 }, () => (random.chance(0.1) ? 0xffff : random.int(0, 30_000))),
    thermalC: rising(8, 150, UNREACHED_TEMP_C),
    // Never 0 from the first step on: some temperature must pay.
    thermalBps: Array.from({ length: 8 }, (_, i) => (i > 0 && random.chance(0.2) ? 0 : random.int(1, 0xffff))),
  }
}

/** One period in eight has no event; two neighbouring words of L1 differ. */
export function randomPrices(random: Random, periods: { first: number; last: number }): Map<number, number> {
  const prices = new Map<number, number>()
  for (let period = periods.first; period <= periods.last; period++) {
    if (random.chance(1 / 8)) continue
    prices.set(period, random.pick([33_310, 0x3ffffff, 1, random.logInt(1, 0x3ffffff)]))
  }
  return prices
}

/** None at first, then too little, plenty, a refund that leaves too little again, plenty. */
function randomCheckpoints(random: Random, stretch: Stretch): { effectiveFrom: number; fundedMicro: bigint }[] {
  const length = stretch.to - stretch.from
  const little = (): bigint => BigInt(random.logInt(1_000, 2 ** 36))
  let fundedMicro = 0n
  return Array.from({ length: 8 }, (_, i) => {
    if (i === 2 || i === 6) fundedMicro += 2n ** 48n
    else if (i === 4) fundedMicro /= 4_096n
    else fundedMicro += little()
    return { effectiveFrom: stretch.from + Math.floor((length * (i + 0.2)) / 8), fundedMicro }
  })
}
