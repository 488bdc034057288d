import type { EvseLeaf } from '../../../protocol/laneState.ts'
import type { DischargeRecord } from '../../../protocol/record.ts'
import type { LaneFacts, Stretch } from './lane.ts'
import type { Random } from './random.ts'

/** What a record is meant to meet. A shot that misses is welcome: only the parties' agreement is asserted. */
export const Aim = {
  SETTLE: 'settle',
  UNKNOWN_EVSE: 'unknown EVSE',
  BAD_SIGNATURE: 'bad signature',
  MALFORMED: 'malformed',
  OVERLAP: 'overlap',
  METER: 'meter',
  POWER: 'power',
  UNKNOWN_CONTRACT: 'unknown contract',
  SOC: 'state of charge',
  THERMAL: 'thermal',
  EMPTY: 'empty',
  NOISE: 'noise',
  ONES: 'ones',
} as const
export type Aim = (typeof Aim)[keyof typeof Aim]

const aims = Object.values(Aim)

export interface AimedRecord {
  readonly aim: Aim
  readonly record: DischargeRecord
}

export interface World {
  readonly facts: LaneFacts
  readonly stretch: Stretch
  readonly asOf: number
  /** The EVSE's leaf as the records so far have left it. */
  evseLeaf(slot: number): EvseLeaf
}

export const EMPTY_RECORD: DischargeRecord = {
  evse: 0,
  contract: 0,
  start: 0,
  intervals: 0,
  energyWh: 0,
  meterEndWh: 0,
  socDrop: 0,
  tempC: 0,
}

/** One record in two is meant to settle; the others to meet every other end, by a hair's breadth as often as not. */
export function randomRecord(random: Random, world: World): AimedRecord {
  const aim = random.chance(0.5) ? Aim.SETTLE : random.pick(aims)
  return { aim, record: shoot(random, world, aim) }
}

function shoot(random: Random, world: World, aim: Aim): DischargeRecord {
  const good = goodRecord(random, world)
  const rated = world.facts.evses[good.evse]!.descriptor.ratedW
  const capacity = world.facts.contracts[good.contract]!.descriptor.capacityWh
  switch (aim) {
    case Aim.SETTLE:
    case Aim.BAD_SIGNATURE:
      return good
    case Aim.UNKNOWN_EVSE:
      return { ...good, evse: badSlot(random, world.facts.evses) }
    case Aim.UNKNOWN_CONTRACT:
      return { ...good, contract: badSlot(random, world.facts.contracts) }
    case Aim.MALFORMED:
      return malformed(random, world, good)
    case Aim.OVERLAP: {
      const start = world.evseLeaf(good.evse).lastEnd - random.pick([1, random.int(1, 40)])
      return start < 0 ? good : { ...good, start, intervals: Math.min(good.intervals, 60 - (start % 60)) }
    }
    case Aim.METER: {
      const least = world.evseLeaf(good.evse).lastMeterWh + good.energyWh
      return { ...good, meterEndWh: clampMeter(least - random.pick([0, 1, random.int(1, 2_000_000)])) }
    }
    case Aim.POWER: {
      const most = mostEnergy(rated, good.intervals) + random.int(0, 2)
      return withEnergy(world, good, Math.min(most, 0xfffff), capacity)
    }
    case Aim.SOC: {
      const drop = leastDrop(world, good, capacity) - random.int(0, 2)
      return { ...good, socDrop: Math.min(10_000, Math.max(0, drop)) }
    }
    case Aim.THERMAL:
      return { ...good, tempC: random.pick([150, 151, 255, random.int(100, 255)]) }
    case Aim.EMPTY:
      return EMPTY_RECORD
    case Aim.ONES:
      return {
        evse: 0xffffffff,
        contract: 0xffffffff,
        start: 0xffffffff,
        intervals: 0xff,
        energyWh: 0xffffff,
        meterEndWh: 0xffffffffff,
        socDrop: 0xffff,
        tempC: 0xff,
      }
    case Aim.NOISE:
      return {
        evse: random.chance(0.5) ? good.evse : random.u32(),
        contract: random.chance(0.5) ? good.contract : random.u32(),
        start: random.chance(0.5) ? good.start : random.u32(),
        intervals: random.int(0, 0xff),
        energyWh: random.int(0, 0xffffff),
        meterEndWh: random.int(0, 0xffffffffff),
        socDrop: random.int(0, 0xffff),
        tempC: random.int(0, 0xff),
      }
  }
}

function goodRecord(random: Random, world: World): DischargeRecord {
  const { facts, stretch, asOf } = world
  const evse = someSlot(random, facts.evses, asOf)
  const leaf = world.evseLeaf(evse)
  const now = Math.floor(asOf / 15)
  const goesOn = leaf.lastEnd > 0 && leaf.lastEnd < now && random.chance(0.6)
  const first = Math.max(leaf.lastEnd, Math.ceil(stretch.from / 15))
  const skips = random.chance(0.5) ? first + random.logInt(0, 300) : Math.max(first, now - random.int(1, 1_000))
  const start = goesOn ? leaf.lastEnd : skips
  const room = 60 - (start % 60)
  const last = now - start
  const intervals = random.pick([1, room, random.int(1, room)])
  const stays = goesOn && random.chance(0.7) && leaf.lastContract < facts.contracts.length
  const contract = stays ? leaf.lastContract : someSlot(random, facts.contracts, asOf)
  const record = {
    ...EMPTY_RECORD,
    evse,
    contract,
    start,
    intervals: Math.max(1, Math.min(intervals, last)),
    tempC: random.chance(0.1) ? random.int(0, 150) : random.int(0, 60),
  }
  const capacity = facts.contracts[contract]!.descriptor.capacityWh
  const most = Math.min(mostEnergy(facts.evses[evse]!.descriptor.ratedW, record.intervals), capacity, 0xfffff)
  const energyWh = random.pick([most, 1, random.logInt(1, Math.max(1, most))])
  return withEnergy(world, record, Math.max(1, energyWh), capacity, random.pick([0, 0, random.int(0, 5_000)]))
}

/** Mostly one that is up. */
function someSlot(random: Random, slots: readonly { activeFrom: number; endsAt: number }[], asOf: number): number {
  let slot = random.int(0, slots.length - 1)
  for (let tries = 0; tries < 3; tries++) {
    const { activeFrom, endsAt } = slots[slot]!
    if (activeFrom < asOf && asOf < endsAt) break
    slot = random.int(0, slots.length - 1)
  }
  return slot
}

function withEnergy(
  world: World,
  record: DischargeRecord,
  energyWh: number,
  capacity: number,
  standby = 0,
): DischargeRecord {
  const meterEndWh = clampMeter(world.evseLeaf(record.evse).lastMeterWh + energyWh + standby)
  const charged = { ...record, energyWh, meterEndWh }
  return { ...charged, socDrop: Math.min(10_000, leastDrop(world, charged, capacity)) }
}

/** The largest energy that check 6 lets pass, Wh. */
function mostEnergy(ratedW: number, intervals: number): number {
  return Math.floor((ratedW * 10_200 * intervals) / 2_400_000)
}

/** The smallest drop that check 8 lets pass, 0.01 %. */
function leastDrop(world: World, record: DischargeRecord, capacityWh: number): number {
  const period = Math.floor(record.start / 60)
  const tolerance = world.facts.tariffs.findLast((version) => version.fromPeriod <= period)?.tariff.socToleranceBps ?? 0
  const [energy, whole] = [BigInt(record.energyWh) * 100_000_000n, BigInt(capacityWh) * BigInt(10_000 + tolerance)]
  return Number((energy + whole - 1n) / whole)
}

function malformed(random: Random, world: World, good: DischargeRecord): DischargeRecord {
  const toClock = Math.floor(world.asOf / 15) - good.start
  return random.pick<DischargeRecord>([
    { ...good, intervals: 0 },
    { ...good, intervals: random.pick([61, 255]) },
    { ...good, intervals: 61 - (good.start % 60) },
    { ...good, start: good.start - (good.start % 60), intervals: 60 },
    { ...good, intervals: Math.min(60, Math.max(0, toClock + random.int(0, 1))) },
    { ...good, energyWh: 0 },
    { ...good, energyWh: random.pick([0xfffff, 0x100000, 0xffffff]) },
    { ...good, socDrop: random.pick([10_000, 10_001, 0xffff]) },
    { ...good, start: 0xffffffff },
    { ...good, start: Math.floor(world.asOf / 15), intervals: 1 },
  ])
}

function badSlot(random: Random, slots: readonly { activeFrom: number; endsAt: number }[]): number {
  const brief = [...slots.keys()].filter((slot) => slots[slot]!.endsAt !== 0xffffffff || random.chance(0.1))
  return random.pick([slots.length, 0xfffff, 0x100000, 0x100001, 0xffffffff, ...brief])
}

function clampMeter(value: number): number {
  return Math.min(0xffffffffff, Math.max(0, value))
}
