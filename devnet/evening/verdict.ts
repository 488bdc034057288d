import { dollars } from '../../bridge/money.ts'
import { PERIOD_INTERVALS, PERIOD_SECONDS } from '../../protocol/limits.ts'
import { independentCredits, type PlainCredits, type PlainTerms } from '../independent/independentSettlement.ts'
import type { ToldRecord } from './backOffice.ts'
import type { LaneOnL1 } from './onL1.ts'
import type { EveningPlan, Session } from './plan.ts'

/** What the evening's meters say, watt-hours. */
export interface Metered {
  readonly byEvse: ReadonlyMap<number, number>
  readonly byContract: ReadonlyMap<number, number>
  /** By `evse/period`, where the register stood at the period's boundaries; 10^-3 Wh. */
  readonly milliByPeriod: ReadonlyMap<string, number>
  readonly totalWh: number
}

export interface EveningBooks {
  readonly plan: EveningPlan
  readonly onL1: LaneOnL1
  /** By the owners' token balances; by contract. */
  readonly paidMicro: ReadonlyMap<number, bigint>
}

/** By the meters alone: nothing here knows of records. */
export function metered({ sessions }: Pick<EveningPlan, 'sessions'>): Metered {
  const byEvse = new Map<number, number>()
  const byContract = new Map<number, number>()
  const milliByPeriod = new Map<string, number>()
  let totalWh = 0
  for (const { evse, contract, readings } of sessions) {
    const wh = wholeWh(readings.at(-1)!.exportMilliWh) - wholeWh(readings[0]!.exportMilliWh)
    add(byEvse, evse, wh)
    add(byContract, contract, wh)
    totalWh += wh
    for (const [i, after] of readings.entries()) {
      const before = readings[i - 1]
      if (before === undefined) continue
      // There is a reading at every boundary, so no two lie in different periods.
      const period = Math.floor(before.atSeconds / PERIOD_SECONDS)
      add(milliByPeriod, `${evse}/${period}`, after.exportMilliWh - before.exportMilliWh)
    }
  }
  return { byEvse, byContract, milliByPeriod, totalWh }
}

/** What does not agree, in words; empty when every watt-hour that was metered is credited once, and paid for rightly. */
export function eveningDifferences({ plan, onL1, paidMicro }: EveningBooks): string[] {
  const found: string[] = []
  const truth = metered(plan)
  const evseWh = new Map<number, number>()
  const contractWh = new Map<number, number>()
  const periodWh = new Map<string, number>()
  const creditedMicro = new Map<number, bigint>()
  for (const { record, amountMicro } of onL1.settled) {
    add(evseWh, record.evse, record.energyWh)
    add(contractWh, record.contract, record.energyWh)
    add(periodWh, `${record.evse}/${Math.floor(record.start / PERIOD_INTERVALS)}`, record.energyWh)
    creditedMicro.set(record.contract, (creditedMicro.get(record.contract) ?? 0n) + BigInt(amountMicro))
  }
  for (const [outcome, count] of onL1.fruitless) found.push(`${count} records on L1 came to ${outcome}`)
  found.push(...unequal('charger', truth.byEvse, evseWh))
  found.push(...unequal('contract', truth.byContract, contractWh))
  for (const [key, wh] of periodWh) {
    // What is left below a watt-hour at a boundary goes to the next period.
    const milliWh = truth.milliByPeriod.get(key) ?? 0
    if (Math.abs(wh * 1_000 - milliWh) >= 1_000)
      found.push(`${wh} Wh credited in ${key}, and ${milliWh / 1_000} metered`)
  }
  const owed = owedFor(plan, onL1)
  for (const [contract, { incentiveBps }] of plan.scenario.cars.entries()) {
    const [due, credited, paid] = [owed.creditedMicro, creditedMicro, paidMicro].map((of) => of.get(contract) ?? 0n)
    if (credited !== due)
      found.push(`contract ${contract} (${incentiveBps} bps) has ${dollars(credited!)}, not ${dollars(due!)}`)
    if (paid !== due) found.push(`contract ${contract}'s owner was paid ${dollars(paid!)}, not ${dollars(due!)}`)
  }
  return found
}

/** What does not agree between L1 and what the gateway's webhook told. */
export function toldDifferences({ settled }: LaneOnL1, told: readonly ToldRecord[]): string[] {
  const sums = (records: Iterable<readonly [evse: number, energyWh: number, micro: bigint]>) => {
    const wh = new Map<number, number>()
    const micro = new Map<number, bigint>()
    for (const [evse, energyWh, amount] of records) {
      add(wh, evse, energyWh)
      micro.set(evse, (micro.get(evse) ?? 0n) + amount)
    }
    return { wh, micro }
  }
  const onL1 = sums(settled.map(({ record, amountMicro }) => [record.evse, record.energyWh, BigInt(amountMicro)]))
  const heard = sums(told.map(({ evse, energyWh, creditedMicro }) => [evse, energyWh, creditedMicro]))
  const found: string[] = []
  if (new Set(told.map(({ position }) => position)).size !== told.length) found.push('a record was told in two events')
  for (const evse of new Set([...onL1.wh.keys(), ...heard.wh.keys()])) {
    const [wh, heardWh] = [onL1.wh.get(evse) ?? 0, heard.wh.get(evse) ?? 0]
    if (wh !== heardWh) found.push(`charger ${evse}: ${wh} Wh credited on L1, ${heardWh} Wh told to the back office`)
    const [micro, heardMicro] = [onL1.micro.get(evse) ?? 0n, heard.micro.get(evse) ?? 0n]
    if (micro !== heardMicro) found.push(`charger ${evse}: ${dollars(micro)} on L1, ${dollars(heardMicro)} told`)
  }
  return found
}

/** The money by the calculation that shares no code with settlement, for the records on L1, which the meters have proven. */
export function owedFor({ scenario }: EveningPlan, { settled }: LaneOnL1): PlainCredits {
  const prices = new Map(
    scenario.prices.flatMap(({ firstPeriod, nano }) => nano.map((price, i) => [firstPeriod + i, price] as const)),
  )
  const terms: PlainTerms = {
    ...scenario.tariff,
    priceNano: (period) => BigInt(prices.get(Number(period)) ?? 0),
    incentiveBps: (contract) => BigInt(scenario.cars[contract]!.incentiveBps),
  }
  return independentCredits(
    settled.map(({ record }) => record),
    terms,
  )
}

/** The most that the sessions can earn, for funding the lane: every watt-hour at the best price and multiplier. */
export function mostMicro({ scenario }: EveningPlan, sessions: readonly Session[]): bigint {
  const bestNano = BigInt(Math.max(...scenario.prices.flatMap(({ nano }) => nano)))
  const totalWh = BigInt(Math.ceil(metered({ sessions }).totalWh))
  return (totalWh * bestNano * 2n) / 1_000n
}

function unequal(what: string, metered: ReadonlyMap<number, number>, credited: ReadonlyMap<number, number>): string[] {
  return [...new Set([...metered.keys(), ...credited.keys()])]
    .filter((key) => (metered.get(key) ?? 0) !== (credited.get(key) ?? 0))
    .map((key) => `${what} ${key}: ${metered.get(key) ?? 0} Wh metered, ${credited.get(key) ?? 0} Wh credited on L1`)
}

/** What a register of whole watt-hours shows. Rounds down. */
function wholeWh(milliWh: number): number {
  return Math.floor(milliWh / 1_000)
}

function add<Key>(to: Map<Key, number>, key: Key, amount: number): void {
  to.set(key, (to.get(key) ?? 0) + amount)
}
