import { readBigUint, readI32, readU16, readU24, readU32 } from './bigEndian.ts'
import { EVSE_POSITION_AT, EVSE_RATED_W_AT } from './descriptor.ts'
import { CONTRACT_DESCRIPTOR_BYTES } from './limits.ts'
import type { SchemeLayout } from './scheme.ts'
import { decodeTariff, type Tariff } from './tariff.ts'
import { toWideSum, type WideSum } from './wideSum.ts'

export interface TariffVersion {
  readonly fromPeriod: number
  readonly tariff: Tariff
  readonly bytes: Uint8Array
}

export interface FundingCheckpoint {
  readonly effectiveFrom: number
  readonly fundedMicro: bigint
}

/** Checkpoint index or tariff version that stands for "none yet" (docs/protocol.md §15.4). */
export const NONE = 0xffffffff

/**
 * Everything of L1 that settlement in one lane can see: registries, tariffs, prices, funding (docs/protocol.md §2, §3).
 * Filled from L1's events in their order; every rule then reads it by the batch's `asOf`, so a newer view answers an older
 * `asOf` alike.
 */
export class LaneRules {
  readonly layout: SchemeLayout
  readonly evses: Slots
  readonly contracts = new Slots(CONTRACT_DESCRIPTOR_BYTES)
  readonly tariffs: TariffVersion[] = []
  readonly checkpoints: FundingCheckpoint[] = []
  readonly #prices = new Map<number, number>()
  // The layout's, at hand: these are read several times a record.
  readonly #evseBytes: number
  readonly #keyBytes: number

  constructor(layout: SchemeLayout) {
    this.layout = layout
    this.#evseBytes = layout.evseDescriptorBytes
    this.#keyBytes = layout.keyBytes
    this.evses = new Slots(layout.evseDescriptorBytes)
  }

  applyEvsesRegistered(event: { firstSlot: number; activeFrom: number; descriptors: Uint8Array }): void {
    this.evses.append(event)
  }

  applyEvseEnded(event: { slot: number; endsAt: number }): void {
    this.evses.end(event)
  }

  applyContractsEnrolled(event: { firstSlot: number; activeFrom: number; descriptors: Uint8Array }): void {
    this.contracts.append(event)
  }

  applyContractEnded(event: { slot: number; endsAt: number }): void {
    this.contracts.end(event)
  }

  applyTariffSet(event: { version: number; fromPeriod: number; tariff: Uint8Array }): void {
    if (event.version !== this.tariffs.length) throw new Error(`tariff version ${event.version} out of order`)
    this.tariffs.push({ fromPeriod: event.fromPeriod, tariff: decodeTariff(event.tariff), bytes: event.tariff })
  }

  applyPricesSet(event: { firstPeriod: number; prices: readonly number[] }): void {
    for (const [i, price] of event.prices.entries()) this.#prices.set(event.firstPeriod + i, price)
  }

  /** A checkpoint with the index of the last one replaces it: both fell into one block. */
  applyCheckpointAdded(event: { index: number; effectiveFrom: number; fundedMicro: bigint }): void {
    if (event.index > this.checkpoints.length) throw new Error(`funding checkpoint ${event.index} out of order`)
    this.checkpoints[event.index] = { effectiveFrom: event.effectiveFrom, fundedMicro: event.fundedMicro }
  }

  /** 10^-9 token per Wh; 0: no event. */
  priceNano(period: number): number {
    return this.#prices.get(period) ?? 0
  }

  /** Version in force in `period`, or NONE. */
  tariffVersion(period: number): number {
    for (let version = this.tariffs.length - 1; version >= 0; version--) {
      if (this.tariffs[version]!.fromPeriod <= period) return version
    }
    return NONE
  }

  /** Checkpoint in force at `asOf`, or NONE. */
  fundingIndex(asOf: number): number {
    for (let index = this.checkpoints.length - 1; index >= 0; index--) {
      if (this.checkpoints[index]!.effectiveFrom <= asOf) return index
    }
    return NONE
  }

  fundedMicro(asOf: number): bigint {
    return this.checkpoints[this.fundingIndex(asOf)]?.fundedMicro ?? 0n
  }

  fundedWide(asOf: number): WideSum {
    return toWideSum(this.fundedMicro(asOf))
  }

  evseKey(slot: number): Uint8Array {
    const at = slot * this.#evseBytes
    return this.evses.descriptors.subarray(at, at + this.#keyBytes)
  }

  evseRatedW(slot: number): number {
    return readU24(this.evses.descriptors, this.#afterKey(slot) + EVSE_RATED_W_AT)
  }

  /** lat ‖ lon as signed, 8 bytes. */
  evsePosition(slot: number): Uint8Array {
    const at = this.#afterKey(slot) + EVSE_POSITION_AT
    return this.evses.descriptors.subarray(at, at + 8)
  }

  evseLat(slot: number): number {
    return readI32(this.evses.descriptors, this.#afterKey(slot) + EVSE_POSITION_AT)
  }

  evseLon(slot: number): number {
    return readI32(this.evses.descriptors, this.#afterKey(slot) + EVSE_POSITION_AT + 4)
  }

  #afterKey(slot: number): number {
    return slot * this.#evseBytes + this.#keyBytes
  }

  contractVehicle(slot: number): bigint {
    return readBigUint(this.contracts.descriptors, slot * CONTRACT_DESCRIPTOR_BYTES, 8)
  }

  contractIncentiveBps(slot: number): number {
    return readU16(this.contracts.descriptors, slot * CONTRACT_DESCRIPTOR_BYTES + 8)
  }

  contractCapacityWh(slot: number): number {
    return readU24(this.contracts.descriptors, slot * CONTRACT_DESCRIPTOR_BYTES + 10)
  }
}

/** One registry of slots, given in order, in flat arrays that double. */
export class Slots {
  count = 0
  descriptors: Uint8Array
  activeFrom = new Uint32Array(16)
  endsAt = new Uint32Array(16)
  readonly descriptorBytes: number

  constructor(descriptorBytes: number) {
    this.descriptorBytes = descriptorBytes
    this.descriptors = new Uint8Array(16 * descriptorBytes)
  }

  append(event: { firstSlot: number; activeFrom: number; descriptors: Uint8Array }): void {
    if (event.firstSlot !== this.count) throw new Error(`slot ${event.firstSlot} out of order, expected ${this.count}`)
    const added = event.descriptors.length / this.descriptorBytes
    if (!Number.isInteger(added)) throw new Error(`descriptors are not a multiple of ${this.descriptorBytes} bytes`)
    this.#reserve(this.count + added)
    this.descriptors.set(event.descriptors, this.count * this.descriptorBytes)
    this.activeFrom.fill(event.activeFrom, this.count, this.count + added)
    this.endsAt.fill(0xffffffff, this.count, this.count + added)
    this.count += added
  }

  end(event: { slot: number; endsAt: number }): void {
    if (event.slot >= this.count) throw new Error(`slot ${event.slot} is empty`)
    this.endsAt[event.slot] = event.endsAt
  }

  /** Registered, and in effect at `asOf`. */
  isKnown(slot: number, asOf: number): boolean {
    return slot < this.count && this.activeFrom[slot]! <= asOf
  }

  /** Checks 1 and 7: known at `asOf` and active from `startSeconds` to `endSeconds`. */
  isActive(slot: number, asOf: number, startSeconds: number, endSeconds: number): boolean {
    return this.isKnown(slot, asOf) && this.activeFrom[slot]! <= startSeconds && endSeconds <= this.endsAt[slot]!
  }

  descriptor(slot: number): Uint8Array {
    if (slot >= this.count) throw new RangeError(`slot ${slot} is empty`)
    return this.descriptors.slice(slot * this.descriptorBytes, (slot + 1) * this.descriptorBytes)
  }

  #reserve(count: number): void {
    let capacity = this.activeFrom.length
    if (count <= capacity) return
    while (capacity < count) capacity *= 2
    const descriptors = new Uint8Array(capacity * this.descriptorBytes)
    descriptors.set(this.descriptors)
    this.descriptors = descriptors
    this.activeFrom = grown(this.activeFrom, capacity)
    this.endsAt = grown(this.endsAt, capacity)
  }
}

function grown(from: Uint32Array, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity)
  larger.set(from)
  return larger
}

/** Start of an activeFrom/endsAt pair inside a slot word, for tests and tools that read the registry itself. */
export function slotWordTimes(word: Uint8Array): { activeFrom: number; endsAt: number } {
  return { activeFrom: readU32(word, 24), endsAt: readU32(word, 28) }
}
