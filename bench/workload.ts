import { incentiveBpsOf, devnetTariff } from '../devnet/terms.ts'
import { seededBlsSigner, seededEvseKey } from '../devnet/evseSigner.ts'
import { encodeContractDescriptor, encodeEvseDescriptor } from '../protocol/descriptor.ts'
import { recordDomain } from '../protocol/domain.ts'
import { LaneRules } from '../protocol/laneRules.ts'
import { PERIOD_SECONDS } from '../protocol/limits.ts'
import { encodeTariff } from '../protocol/tariff.ts'
import { P256_LAYOUT, Scheme, type SchemeLayout } from '../protocol/scheme.ts'

export const OWNER = { chainId: 31337, rollup: '0x00000000000000000000000000000000000000be' } as const
export const LANE = 0
export const FIRST_PERIOD = 2_000_000
const PERIODS = 400
export const ACTIVE_FROM = (FIRST_PERIOD - 8) * PERIOD_SECONDS
/** The clock stands still behind the last priced period: whatever is sent has happened by then. */
export const NOW = (FIRST_PERIOD + PERIODS) * PERIOD_SECONDS

export const CAPACITY_WH = 60_000
export const BENCH_DOMAIN = recordDomain({ chainId: BigInt(OWNER.chainId), rollup: OWNER.rollup, lane: LANE })
export const KEY_SEED = 'bench'
/** Of an EVSE, 10^-7 degrees. */
export const placeOf = (slot: number): { lat: number; lon: number } => ({ lat: 487_000_000 + slot, lon: 91_000_000 })
/** Descriptors made at a time: a million at once would take more memory than what is measured. */
const SLOTS_AT_ONCE = 512

export interface WorkloadOptions {
  readonly evses: number
  /** Without, signatures are noise: for whoever takes them as verified. */
  readonly keys: boolean
  /** Default: P-256. */
  readonly layout?: SchemeLayout
}

/**
 * What a lane knows of so many EVSEs, each with a contract of its own: no private key, and nothing of the records that recordMaker.ts makes for them, all of
 * which settle.
 */
export class Workload {
  readonly rules: LaneRules
  readonly domain = BENCH_DOMAIN
  readonly evses: number

  constructor({ evses, keys, layout = P256_LAYOUT }: WorkloadOptions) {
    this.evses = evses
    this.rules = new LaneRules(layout)
    this.#register(keys)
  }

  get layout(): SchemeLayout {
    return this.rules.layout
  }

  #register(keys: boolean): void {
    const { rules, layout } = this
    const keyOf = (slot: number) => (keys ? seededPublicKey(layout, slot) : new Uint8Array(layout.keyBytes))
    for (let firstSlot = 0; firstSlot < this.evses; firstSlot += SLOTS_AT_ONCE) {
      const slots = Array.from({ length: Math.min(SLOTS_AT_ONCE, this.evses - firstSlot) }, (_, i) => firstSlot + i)
      const evses = slots.map((slot) =>
        encodeEvseDescriptor({
          key: keyOf(slot),
          ratedW: 11_000,
          ...placeOf(slot),
          radiusM: 50,
          depositMicro: 0n,
        }),
      )
      const contracts = slots.map((slot) =>
        encodeContractDescriptor({
          vehicle: BigInt(slot + 1),
          incentiveBps: incentiveBpsOf(slot),
          capacityWh: CAPACITY_WH,
          vehicleKey: undefined,
        }),
      )
      rules.applyEvsesRegistered({ firstSlot, activeFrom: ACTIVE_FROM, descriptors: Buffer.concat(evses) })
      rules.applyContractsEnrolled({ firstSlot, activeFrom: ACTIVE_FROM, descriptors: Buffer.concat(contracts) })
    }
    rules.applyTariffSet({ version: 0, fromPeriod: FIRST_PERIOD - 8, tariff: encodeTariff(devnetTariff) })
    rules.applyPricesSet({ firstPeriod: FIRST_PERIOD, prices: Array<number>(PERIODS).fill(500_000) })
    rules.applyCheckpointAdded({ index: 0, effectiveFrom: ACTIVE_FROM, fundedMicro: 10n ** 18n })
  }
}

function seededPublicKey({ scheme }: SchemeLayout, slot: number): Uint8Array {
  return scheme === Scheme.BLS ? seededBlsSigner(KEY_SEED, slot).publicKey : seededEvseKey(KEY_SEED, slot).publicKey
}
