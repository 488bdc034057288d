import { recordDomain, recordMessage, type LaneName } from '../../protocol/domain.ts'
import { encodeContractDescriptor, encodeEvseDescriptor, EVSE_POSITION_AT } from '../../protocol/descriptor.ts'
import { LaneRules } from '../../protocol/laneRules.ts'
import { type DischargeRecord, encodeRecord } from '../../protocol/record.ts'
import { P256_LAYOUT, Scheme, type SchemeLayout } from '../../protocol/scheme.ts'
import { encodeTariff, tariffFrom } from '../../protocol/tariff.ts'
import { chunkBody } from './chunkBody.ts'
import { blsEvseKey } from './generators/blsKey.ts'
import { evseKey, signP256 } from './generators/evseKey.ts'
import { Random } from './generators/random.ts'

export interface FleetOptions {
  readonly evses: number
  readonly contracts?: number
  readonly seed?: number
  /** First interval of every charger's first record. */
  readonly firstInterval: number
  readonly name: LaneName
  /** Of every charger; default: none. */
  readonly depositMicro?: bigint
  /** Of every contract, x ‖ y; default: none. */
  readonly vehicleKey?: Uint8Array
  /** Default: P-256. */
  readonly layout?: SchemeLayout
  /** Token id of the first contract's vehicle; the others follow. Default: 1. */
  readonly firstVehicle?: number
}

export interface FleetKey {
  /** As descriptors hold it. */
  readonly publicKey: Uint8Array
  /** As a row holds it. */
  sign(message: Uint8Array): Uint8Array
  /** For a registration: 192 bytes of a BLS key, none of a P-256 key. */
  possession(): Uint8Array
  /** Of a P-256 key: PKCS#8, as a key file holds it. */
  readonly pem?: string
}

export const FLEET_RATED_W = 11_000
export const FLEET_CAPACITY_WH = 60_000
export const FLEET_PRICE_NANO = 500_000

/** Every 1.2 times; hotter than 45 °C 0.8; above 55 °C nothing. */
export const FLEET_TARIFF = encodeTariff(
  tariffFrom({
    socToleranceBps: 500,
    maxIncentiveBps: 15_000,
    tiers: { powerW: [0, 7_000], sessionIntervals: [0], bps: [[10_000], [12_000]] },
    thermal: [
      { fromC: 0, bps: 10_000 },
      { fromC: 45, bps: 8_000 },
      { fromC: 55, bps: 0 },
    ],
  }),
)

/** Chargers that discharge interval after interval, and sign what they measure: every record settles where there is a price. */
export class Fleet {
  readonly layout: SchemeLayout
  readonly keys: readonly FleetKey[]
  readonly evseDescriptors: readonly Uint8Array[]
  readonly contractDescriptors: readonly Uint8Array[]
  readonly domain: Uint8Array
  readonly contracts: number
  readonly firstVehicle: number
  readonly #next: number[]
  readonly #meterWh: number[]

  constructor(options: FleetOptions) {
    const random = new Random(options.seed ?? 1)
    this.contracts = options.contracts ?? options.evses
    this.firstVehicle = options.firstVehicle ?? 1
    this.domain = recordDomain(options.name)
    this.layout = options.layout ?? P256_LAYOUT
    this.keys = Array.from({ length: options.evses }, () => fleetKey(this.layout, random))
    this.evseDescriptors = this.keys.map((key, slot) =>
      encodeEvseDescriptor({
        key: key.publicKey,
        ratedW: FLEET_RATED_W,
        lat: 487_000_000 + slot,
        lon: 91_000_000 + slot,
        radiusM: 50,
        depositMicro: options.depositMicro ?? 0n,
      }),
    )
    this.contractDescriptors = Array.from({ length: this.contracts }, (_, slot) =>
      encodeContractDescriptor({
        vehicle: BigInt(this.firstVehicle + slot),
        incentiveBps: 12_000,
        capacityWh: FLEET_CAPACITY_WH,
        vehicleKey: options.vehicleKey,
      }),
    )
    this.#next = this.keys.map(() => options.firstInterval)
    this.#meterWh = this.keys.map(() => 1_000_000)
  }

  /** The charger's next record, an interval long. */
  next(evse: number, changes: Partial<DischargeRecord> = {}): DischargeRecord {
    const energyWh = 20 + (this.#next[evse]! % 20)
    this.#meterWh[evse]! += energyWh
    return {
      evse,
      contract: evse % this.contracts,
      start: this.#next[evse]!++,
      intervals: 1,
      energyWh,
      meterEndWh: this.#meterWh[evse]!,
      socDrop: 8,
      tempC: 30,
      ...changes,
    }
  }

  /** Where the charger's next record starts. */
  nextStart(evse: number): number {
    return this.#next[evse]!
  }

  /** Record and signature, a row of the lane. */
  sign(record: DischargeRecord, signer = record.evse): Uint8Array {
    const row = new Uint8Array(this.layout.rowBytes)
    encodeRecord(record, row)
    const descriptor = this.evseDescriptors[record.evse] ?? this.evseDescriptors[0]!
    const place = new DataView(descriptor.buffer, descriptor.byteOffset + this.layout.keyBytes + EVSE_POSITION_AT)
    const message = recordMessage(this.domain, row.subarray(0, 24), place.getInt32(0), place.getInt32(4))
    row.set((this.keys[signer] ?? this.keys[0]!).sign(message), 24)
    return row
  }

  /** `count` rows of the chargers in turn. */
  rows(count: number): Uint8Array {
    const { rowBytes } = this.layout
    const rows = new Uint8Array(count * rowBytes)
    for (let i = 0; i < count; i++) rows.set(this.sign(this.next(i % this.keys.length)), i * rowBytes)
    return rows
  }

  /** The body of a chunk of `count` records of the chargers in turn, not padded. */
  body(count: number): Uint8Array {
    return chunkBody(
      this.layout,
      Array.from({ length: count }, (_, i) => this.sign(this.next(i % this.keys.length))),
    )
  }

  /** What L1 would say: everything active since `activeFrom`, priced and funded throughout. */
  rules(activeFrom: number, fundedMicro = 10n ** 15n): LaneRules {
    const rules = new LaneRules(this.layout)
    rules.applyEvsesRegistered({ firstSlot: 0, activeFrom, descriptors: Buffer.concat(this.evseDescriptors) })
    rules.applyContractsEnrolled({ firstSlot: 0, activeFrom, descriptors: Buffer.concat(this.contractDescriptors) })
    const fromPeriod = Math.floor(activeFrom / 900)
    rules.applyTariffSet({ version: 0, fromPeriod, tariff: FLEET_TARIFF })
    rules.applyPricesSet({ firstPeriod: fromPeriod, prices: Array(400).fill(FLEET_PRICE_NANO) })
    rules.applyCheckpointAdded({ index: 0, effectiveFrom: activeFrom, fundedMicro })
    return rules
  }
}

export function fleetKey(layout: SchemeLayout, random: Random): FleetKey {
  if (layout.scheme === Scheme.BLS) return blsEvseKey(random)
  const key = evseKey(random)
  return {
    publicKey: key.publicKey,
    sign: (message) => signP256(key, message),
    possession: () => new Uint8Array(),
    pem: key.secret.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}
