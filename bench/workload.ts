import { randomFillSync } from 'node:crypto'
import { incentiveBpsOf, devnetTariff, socDropFor } from '../devnet/terms.ts'
import { type EvseSigner, seededBlsSigner, seededEvseSigner } from '../devnet/evseSigner.ts'
import { encodeContractDescriptor, encodeEvseDescriptor } from '../protocol/descriptor.ts'
import { recordDomain } from '../protocol/domain.ts'
import { LaneRules } from '../protocol/laneRules.ts'
import { INTERVAL_SECONDS, PERIOD_INTERVALS, PERIOD_SECONDS, RECORD_BYTES } from '../protocol/limits.ts'
import { encodeRecord } from '../protocol/record.ts'
import { encodeTariff } from '../protocol/tariff.ts'
import { P256_LAYOUT, Scheme, type SchemeLayout } from '../protocol/scheme.ts'

export const OWNER = { chainId: 31337, rollup: '0x00000000000000000000000000000000000000be' } as const
export const LANE = 0
const FIRST_PERIOD = 2_000_000
const PERIODS = 400
export const ACTIVE_FROM = (FIRST_PERIOD - 8) * PERIOD_SECONDS
/** The clock stands still behind the last priced period: whatever is sent has happened by then. */
export const NOW = (FIRST_PERIOD + PERIODS) * PERIOD_SECONDS

const CAPACITY_WH = 60_000
const LAT = 487_000_000
const LON = 91_000_000
/** Descriptors made at a time: a million at once would take more memory than what is measured. */
const SLOTS_AT_ONCE = 512

export interface WorkloadOptions {
  readonly evses: number
  /** Without, signatures are noise: for whoever takes them as verified. */
  readonly keys: boolean
  /** Default: P-256. */
  readonly layout?: SchemeLayout
}

/** A lane of so many EVSEs, each with a contract of its own, that discharge interval after interval: every record settles. */
export class Workload {
  readonly rules: LaneRules
  readonly domain = recordDomain({ chainId: BigInt(OWNER.chainId), rollup: OWNER.rollup, lane: LANE })
  readonly evses: number
  readonly #signers: readonly EvseSigner[] | undefined
  readonly #next: Uint32Array
  readonly #meterWh: Float64Array

  constructor({ evses, keys, layout = P256_LAYOUT }: WorkloadOptions) {
    this.evses = evses
    this.rules = new LaneRules(layout)
    const signer = layout.scheme === Scheme.BLS ? seededBlsSigner : seededEvseSigner
    this.#signers = keys ? Array.from({ length: evses }, (_, slot) => signer('bench', slot)) : undefined
    this.#next = new Uint32Array(evses).fill(FIRST_PERIOD * PERIOD_INTERVALS)
    this.#meterWh = new Float64Array(evses).fill(1_000)
    this.#register()
  }

  get layout(): SchemeLayout {
    return this.rules.layout
  }

  publicKey(evse: number): Uint8Array {
    return this.#signers![evse]!.publicKey
  }

  /** The next record of each of these EVSEs in turn, record ‖ signature. */
  rows(evses: Iterable<number>, count: number): Uint8Array {
    const { rowBytes } = this.layout
    const rows = new Uint8Array(count * rowBytes)
    if (this.#signers === undefined) randomFillSync(rows)
    let row = 0
    for (const evse of evses) {
      const at = row++ * rowBytes
      const record = this.#nextRecord(evse)
      const signer = this.#signers?.[evse]
      if (signer === undefined) encodeRecord(record, rows, at)
      else rows.set(signer.signRecord(record, { domain: this.domain, lat: LAT + evse, lon: LON }), at)
    }
    if (row !== count) throw new RangeError(`${row} EVSEs for ${count} rows`)
    return rows
  }

  #nextRecord(evse: number) {
    const start = this.#next[evse]!++
    if ((start + 1) * INTERVAL_SECONDS > NOW) throw new RangeError('the priced periods are used up')
    const energyWh = 20 + (start % 20)
    this.#meterWh[evse]! += energyWh
    return {
      evse,
      contract: evse,
      start,
      intervals: 1,
      energyWh,
      meterEndWh: this.#meterWh[evse]!,
      socDrop: socDropFor(energyWh, CAPACITY_WH),
      tempC: 30,
    }
  }

  #register(): void {
    const { rules } = this
    for (let firstSlot = 0; firstSlot < this.evses; firstSlot += SLOTS_AT_ONCE) {
      const slots = Array.from({ length: Math.min(SLOTS_AT_ONCE, this.evses - firstSlot) }, (_, i) => firstSlot + i)
      const evses = slots.map((slot) =>
        encodeEvseDescriptor({
          key: this.#signers?.[slot]?.publicKey ?? new Uint8Array(rules.layout.keyBytes),
          ratedW: 11_000,
          lat: LAT + slot,
          lon: LON,
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

/** `from`, `from + step`, … below `end`, over and over, `count` in all; goes on where the last call ended. */
export function* inTurn(turn: { next: number }, span: { from: number; step: number; end: number }, count: number) {
  const places = Math.ceil((span.end - span.from) / span.step)
  for (let i = 0; i < count; i++) yield span.from + span.step * (turn.next++ % places)
}

export function splitRows(rows: Uint8Array, rowsEach: number, rowBytes = P256_LAYOUT.rowBytes): Uint8Array[] {
  const bytes = rowsEach * rowBytes
  return Array.from({ length: Math.ceil(rows.length / bytes) }, (_, i) => rows.slice(i * bytes, (i + 1) * bytes))
}

export const signatureOf = (rows: Uint8Array, row: number): Uint8Array =>
  rows.subarray(row * P256_LAYOUT.rowBytes + RECORD_BYTES, (row + 1) * P256_LAYOUT.rowBytes)
