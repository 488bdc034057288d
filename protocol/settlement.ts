import { readU16, readU24, readU32, readU40, readU48, readU64, writeU32, writeU48, writeU64 } from './bigEndian.ts'
import type { LaneRules } from './laneRules.ts'
import { NONE } from './laneRules.ts'
import { type LaneState, writeEvseLeaf } from './laneState.ts'
import {
  INTERVAL_SECONDS,
  MAX_ENERGY_WH,
  MAX_INTERVALS,
  MAX_MULTIPLIER_BPS,
  MAX_SOC_DROP,
  MAX_TEMP_C,
  PERIOD_INTERVALS,
  POWER_TOLERANCE_BPS,
} from './limits.ts'
import { NODE_BYTES } from './treeNode.ts'
import { Outcome } from './outcome.ts'
import { isEmptyRecord } from './record.ts'
import { lastRowAtMost, type Tariff } from './tariff.ts'
import { addAmount, exceeds, type WideSum } from './wideSum.ts'

/**
 * Applies records to a lane's state by docs/protocol.md §5. One for a batch: `asOf` and the funding that it sees are fixed.
 * contracts/src/protocol/Settlement.sol and contracts/src/fraud/Replay.sol compute the same; the parity suite holds them
 * together.
 */
export class Settlement {
  readonly asOf: number
  /** Micro credited by the last record that settled. */
  amountMicro = 0
  readonly #state: LaneState
  readonly #rules: LaneRules
  readonly #funded: WideSum
  readonly #spentAfter: WideSum = { hi: 0, lo: 0 }
  #period = -1
  #priceNano = 0
  #tariff: Tariff | undefined

  constructor(state: LaneState, rules: LaneRules, asOf: number) {
    this.#state = state
    this.#rules = rules
    this.asOf = asOf
    this.#funded = rules.fundedWide(asOf)
  }

  /** Check 1 alone: whether the record's EVSE is known and active for it, so that its signature is worth verifying. */
  knowsEvse(bytes: Uint8Array, at: number): boolean {
    const start = readU32(bytes, at + 8)
    const end = start + bytes[at + 12]!
    return this.#rules.evses.isActive(readU32(bytes, at), this.asOf, start * INTERVAL_SECONDS, end * INTERVAL_SECONDS)
  }

  /**
   * Judges the 24-byte record at `at` and, if it settles, changes the state. `signatureValid` is asked for only after
   * check 1. Every non-empty record moves the lane's position by one.
   */
  settle(bytes: Uint8Array, at: number, signatureValid: boolean): Outcome {
    if (isEmptyRecord(bytes, at)) return Outcome.EMPTY
    this.#state.position++
    return this.#judge(bytes, at, signatureValid)
  }

  /**
   * The same for whoever decides what is sequenced at all: a record that does not settle leaves no trace, so an honest
   * lane's order holds only records that settle.
   */
  trySettle(bytes: Uint8Array, at: number, signatureValid: boolean): Outcome {
    if (isEmptyRecord(bytes, at)) return Outcome.EMPTY
    const outcome = this.#judge(bytes, at, signatureValid)
    if (outcome === Outcome.SETTLED) this.#state.position++
    return outcome
  }

  /** A record of the forced queue: its signature was checked when it was queued, and it has no position (docs/protocol.md §10, §13). */
  settleForced(bytes: Uint8Array, at: number): Outcome {
    return isEmptyRecord(bytes, at) ? Outcome.EMPTY : this.#judge(bytes, at, true)
  }

  #judge(bytes: Uint8Array, at: number, signatureValid: boolean): Outcome {
    const state = this.#state
    const rules = this.#rules
    const evse = readU32(bytes, at)
    const contract = readU32(bytes, at + 4)
    const start = readU32(bytes, at + 8)
    const intervals = bytes[at + 12]!
    const energyWh = readU24(bytes, at + 13)
    const meterEndWh = readU40(bytes, at + 16)
    const socDrop = readU16(bytes, at + 21)
    const tempC = bytes[at + 23]!
    const end = start + intervals

    if (!rules.evses.isActive(evse, this.asOf, start * INTERVAL_SECONDS, end * INTERVAL_SECONDS)) {
      return Outcome.UNKNOWN_EVSE
    }
    if (!signatureValid) return Outcome.BAD_SIGNATURE

    if (intervals === 0 || intervals > MAX_INTERVALS) return Outcome.MALFORMED
    if (energyWh === 0 || energyWh >= MAX_ENERGY_WH) return Outcome.MALFORMED
    const period = Math.floor(start / PERIOD_INTERVALS)
    if (period !== Math.floor((end - 1) / PERIOD_INTERVALS)) return Outcome.MALFORMED
    if (end * INTERVAL_SECONDS > this.asOf || socDrop > MAX_SOC_DROP) return Outcome.MALFORMED

    state.evses.reserve(evse)
    const evseAt = evse * NODE_BYTES
    const leaves = state.evses.leaves
    const lastEnd = readU32(leaves, evseAt)
    if (start < lastEnd) return Outcome.OVERLAP
    if (meterEndWh < readU40(leaves, evseAt + 8) + energyWh) return Outcome.METER_REGRESSION
    if (energyWh * 240 * 10_000 > rules.evseRatedW(evse) * POWER_TOLERANCE_BPS * intervals) {
      return Outcome.POWER_EXCEEDED
    }

    if (!rules.contracts.isActive(contract, this.asOf, start * INTERVAL_SECONDS, end * INTERVAL_SECONDS)) {
      return Outcome.UNKNOWN_CONTRACT
    }
    if (period !== this.#period) this.#lookUp(period)
    const tariff = this.#tariff
    const toleranceBps = tariff?.socToleranceBps ?? 0
    if (energyWh * 1e8 > socDrop * rules.contractCapacityWh(contract) * (10_000 + toleranceBps)) {
      return Outcome.SOC_INCONSISTENT
    }
    if (this.#priceNano === 0 || tariff === undefined) return Outcome.NO_EVENT
    if (tempC > MAX_TEMP_C) return Outcome.THERMAL_LIMIT
    const thermalBps = tariff.thermalBps[lastRowAtMost(tariff.thermalC, tempC)]!
    if (thermalBps === 0) return Outcome.THERMAL_LIMIT

    const continues = start === lastEnd && contract === readU32(leaves, evseAt + 17)
    const sessionStart = continues ? readU32(leaves, evseAt + 4) : start
    const averageW = Math.floor((energyWh * 240) / intervals)
    const tierBps =
      tariff.tierBps[
        4 * lastRowAtMost(tariff.powerW, averageW) + lastRowAtMost(tariff.sessionIntervals, end - sessionStart)
      ]!
    const product = Math.floor((rules.contractIncentiveBps(contract) * tierBps * thermalBps) / 1e8)
    const multiplier = product < MAX_MULTIPLIER_BPS ? product : MAX_MULTIPLIER_BPS
    const base = Math.floor((energyWh * this.#priceNano) / 1000)
    const amount = Math.floor((base * multiplier) / 10_000)

    addAmount(state.spent, amount, this.#spentAfter)
    if (exceeds(this.#spentAfter, this.#funded)) return Outcome.BUDGET_EXHAUSTED

    this.amountMicro = amount
    state.willWrite(evse, contract)
    writeEvseLeaf(state.evses.leaves, evseAt, {
      lastEnd: end,
      sessionStart,
      meterHigh: bytes[at + 16]!,
      meterLow: readU32(bytes, at + 17),
      lastContract: contract,
    })
    creditContract(state.contracts.leaves, contract * NODE_BYTES, amount, energyWh)
    state.spent.hi = this.#spentAfter.hi
    state.spent.lo = this.#spentAfter.lo
    state.energyWh += energyWh
    state.count++
    return Outcome.SETTLED
  }

  #lookUp(period: number): void {
    const version = this.#rules.tariffVersion(period)
    this.#period = period
    this.#priceNano = this.#rules.priceNano(period)
    this.#tariff = version === NONE ? undefined : this.#rules.tariffs[version]!.tariff
  }
}

/** credited u128 (its top 4 bytes stay 0: Σ credited ≤ funded < 2^96) | energyWh u64 | count u32 */
function creditContract(leaves: Uint8Array, at: number, amount: number, energyWh: number): void {
  const low = readU48(leaves, at + 10) + amount
  writeU48(leaves, at + 4, readU48(leaves, at + 4) + Math.floor(low / 2 ** 48))
  writeU48(leaves, at + 10, low % 2 ** 48)
  writeU64(leaves, at + 16, readU64(leaves, at + 16) + energyWh)
  writeU32(leaves, at + 24, readU32(leaves, at + 24) + 1)
}
