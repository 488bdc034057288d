import type { DischargeRecord } from '../../protocol/record.ts'
import type { LaneFacts } from '../support/generators/lane.ts'

// docs/protocol.md §5, §6 and §15.1 once more, from the text alone: unbounded integers, plain maps, no shared code.

export interface NaiveEvse {
  lastEnd: bigint
  sessionStart: bigint
  lastMeterWh: bigint
  count: bigint
  lastContract: bigint
}

export interface NaiveContract {
  credited: bigint
  energyWh: bigint
  count: bigint
}

export class NaiveLane {
  readonly evses = new Map<number, NaiveEvse>()
  readonly contracts = new Map<number, NaiveContract>()
  spent = 0n
  energyWh = 0n
  count = 0n
  position = 0n
  readonly #facts: LaneFacts

  constructor(facts: LaneFacts) {
    this.#facts = facts
  }

  settle(given: DischargeRecord, signatureValid: boolean, asOfSeconds: number): { outcome: string; amount: bigint } {
    const no = (outcome: string): { outcome: string; amount: bigint } => ({ outcome, amount: 0n })
    if (Object.values(given).every((value) => value === 0)) return no('EMPTY')
    this.position += 1n
    const facts = this.#facts
    const asOf = BigInt(asOfSeconds)
    const start = BigInt(given.start)
    const intervals = BigInt(given.intervals)
    const end = start + intervals
    const energy = BigInt(given.energyWh)
    const up = (slot: { activeFrom: number; endsAt: number } | undefined): boolean =>
      slot !== undefined &&
      BigInt(slot.activeFrom) <= asOf &&
      BigInt(slot.activeFrom) <= start * 15n &&
      end * 15n <= BigInt(slot.endsAt)

    const evse = facts.evses[given.evse]
    if (evse === undefined || !up(evse)) return no('UNKNOWN_EVSE')
    if (!signatureValid) return no('BAD_SIGNATURE')

    if (intervals === 0n || intervals > 60n) return no('MALFORMED')
    if (energy === 0n || energy >= 2n ** 20n) return no('MALFORMED')
    if (start / 60n !== (end - 1n) / 60n) return no('MALFORMED')
    if (end * 15n > asOf) return no('MALFORMED')
    if (given.socDrop > 10_000) return no('MALFORMED')

    const leaf = this.evses.get(given.evse) ?? {
      lastEnd: 0n,
      sessionStart: 0n,
      lastMeterWh: 0n,
      count: 0n,
      lastContract: 0n,
    }
    if (start < leaf.lastEnd) return no('OVERLAP')
    if (BigInt(given.meterEndWh) < leaf.lastMeterWh + energy) return no('METER_REGRESSION')
    if (energy * 240n * 10_000n > BigInt(evse.descriptor.ratedW) * 10_200n * intervals) return no('POWER_EXCEEDED')

    const contract = facts.contracts[given.contract]
    if (contract === undefined || !up(contract)) return no('UNKNOWN_CONTRACT')
    const period = start / 60n
    const tariff = [...facts.tariffs].reverse().find(({ fromPeriod }) => BigInt(fromPeriod) <= period)?.tariff
    const tolerance = BigInt(tariff?.socToleranceBps ?? 0)
    const capacity = BigInt(contract.descriptor.capacityWh)
    if (energy * 10n ** 8n > BigInt(given.socDrop) * capacity * (10_000n + tolerance)) return no('SOC_INCONSISTENT')

    const price = BigInt(facts.prices.get(Number(period)) ?? 0)
    if (price === 0n || tariff === undefined) return no('NO_EVENT')
    const row = (thresholds: readonly number[], value: bigint): number =>
      thresholds.reduce((last, threshold, i) => (BigInt(threshold) <= value ? i : last), 0)
    const thermal = BigInt(tariff.thermalBps[row(tariff.thermalC, BigInt(given.tempC))]!)
    if (given.tempC > 150 || thermal === 0n) return no('THERMAL_LIMIT')

    const goesOn = start === leaf.lastEnd && BigInt(given.contract) === leaf.lastContract
    const sessionStart = goesOn ? leaf.sessionStart : start
    const averageW = (energy * 240n) / intervals
    const session = end - sessionStart
    const tier = BigInt(tariff.tierBps[row(tariff.powerW, averageW) * 4 + row(tariff.sessionIntervals, session)]!)
    const uncapped = (BigInt(contract.descriptor.incentiveBps) * tier * thermal) / 10n ** 8n
    const multiplier = uncapped > 65_535n ? 65_535n : uncapped
    const base = (energy * price) / 1000n
    const amount = (base * multiplier) / 10n ** 4n

    const inForce = [...facts.checkpoints].reverse().find(({ effectiveFrom }) => BigInt(effectiveFrom) <= asOf)
    if (this.spent + amount > (inForce?.fundedMicro ?? 0n)) return no('BUDGET_EXHAUSTED')

    this.evses.set(given.evse, {
      lastEnd: end,
      sessionStart,
      lastMeterWh: BigInt(given.meterEndWh),
      count: leaf.count + 1n,
      lastContract: BigInt(given.contract),
    })
    const credit = this.contracts.get(given.contract) ?? { credited: 0n, energyWh: 0n, count: 0n }
    this.contracts.set(given.contract, {
      credited: credit.credited + amount,
      energyWh: credit.energyWh + energy,
      count: credit.count + 1n,
    })
    this.spent += amount
    this.energyWh += energy
    this.count += 1n
    return { outcome: 'SETTLED', amount }
  }

  evseLeaves(): Map<number, Uint8Array> {
    return new Map(
      [...this.evses].map(([slot, e]) => [
        slot,
        packed([e.lastEnd, 32], [e.sessionStart, 32], [e.lastMeterWh, 40], [e.count, 32], [e.lastContract, 32]),
      ]),
    )
  }

  contractLeaves(): Map<number, Uint8Array> {
    return new Map(
      [...this.contracts].map(([slot, c]) => [slot, packed([c.credited, 128], [c.energyWh, 64], [c.count, 32])]),
    )
  }

  laneLeaf(): Uint8Array {
    return packed([this.spent, 96], [this.energyWh, 64], [this.count, 48], [this.position, 48])
  }
}

/** Fields of so many bits, most significant first, zero-filled to 32 bytes. */
function packed(...fields: readonly (readonly [bigint, number])[]): Uint8Array {
  let word = 0n
  let bits = 0
  for (const [value, width] of fields) {
    if (value >= 2n ** BigInt(width)) throw new Error(`${value} does not fit ${width} bits`)
    word = (word << BigInt(width)) | value
    bits += width
  }
  return Buffer.from((word << BigInt(256 - bits)).toString(16).padStart(64, '0'), 'hex')
}
