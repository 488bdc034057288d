import { join } from 'node:path'
import type { LaneName } from '../../protocol/domain.ts'
import { INTERVAL_SECONDS, RECORD_BYTES } from '../../protocol/limits.ts'
import { decodeRecord } from '../../protocol/record.ts'
import { writeAtomically } from '../../runtime/atomicFile.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { EdgeStore, StoreOp } from '../store/edgeStore.ts'
import { keyU32 } from '../store/keys.ts'
import { MAX_PENDING_READINGS, MAX_VEHICLE_READINGS, READING_KEPT_SECONDS, READINGS_DROPPED_AT_ONCE } from './limits.ts'
import {
  type Comparison,
  compareReading,
  decodeReading,
  encodeReading,
  isVehicleReading,
  readingFileText,
  readingToSign,
  type VehicleReading,
} from './vehicleReading.ts'

/** `reading/start/lane/evse`: the oldest first. */
const PREFIX = 'reading/'

export interface VehicleReadingsDeps {
  readonly store: EdgeStore
  readonly deployment: Omit<LaneName, 'lane'>
  /** x ‖ y of the contract's descriptor on L1; undefined: the contract has none, or is not known. */
  readonly vehicleKey: (lane: number, contract: number) => Uint8Array | undefined
  /** Wall clock, ms: what is older than any dispute goes. */
  readonly now: () => number
  readonly log: Logger
  /** Readings below their records are written here at once, as files for `backfeed bridge dispute`. Undefined: nowhere. */
  readonly folder?: string | undefined
}

export type KeepResult =
  | { readonly kind: 'KEPT'; readonly comparison: Comparison }
  /** Byte for byte the same was kept before. */
  | { readonly kind: 'REPEATED'; readonly comparison: Comparison }
  | { readonly kind: 'REFUSED'; readonly code: RefusalCode; readonly message: string }

export type RefusalCode =
  /** The contract's descriptor has no vehicle key. */
  | 'VEHICLE_KEY_UNKNOWN'
  | 'READING_BAD_SIGNATURE'
  /** The car signed something else for the same record before; the first stays. */
  | 'READING_CONFLICT'
  /** The record is older than any dispute. */
  | 'READING_TOO_OLD'

/** The cars' signed readings beside the records that they are about, kept as long as these may be disputed. */
export class VehicleReadings {
  readonly #deps: VehicleReadingsDeps
  #count: number
  #pending = 0
  #tail: Promise<unknown> = Promise.resolve()

  private constructor(deps: VehicleReadingsDeps, count: number) {
    this.#deps = deps
    this.#count = count
  }

  /** @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
  static async open(deps: VehicleReadingsDeps): Promise<VehicleReadings> {
    let count = 0
    for await (const _ of deps.store.entries(PREFIX)) count++
    return new VehicleReadings(deps, count)
  }

  get count(): number {
    return this.#count
  }

  /** What the car is asked to sign: P-256 over SHA-256 of these bytes, for what its own meter says. */
  toSign(lane: number, record: Uint8Array, energyWh: number): Uint8Array {
    return readingToSign({ ...this.#deps.deployment, lane }, decodeRecord(record), energyWh)
  }

  /**
   * Verifies a reading and keeps it. On disk when it resolves.
   * @throws BackfeedError READINGS_BUSY, STORE_FAILED (both retryable): not kept
   */
  keep(reading: VehicleReading): Promise<KeepResult> {
    if (this.#pending >= MAX_PENDING_READINGS) {
      const text = `${this.#pending} vehicle readings wait for the disk`
      return Promise.reject(new BackfeedError('READINGS_BUSY', text, { retryable: true }))
    }
    this.#pending++
    // One after another: two for the same record must see each other.
    const work = this.#tail.then(() => this.#keep(reading)).finally(() => this.#pending--)
    this.#tail = work.catch(() => {})
    return work
  }

  /** Of the record that names this EVSE and first interval. @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
  async find(name: { lane: number; evse: number; start: number }): Promise<VehicleReading | undefined> {
    const key = keyOf(name)
    const value = await this.#deps.store.get(key)
    return value === undefined ? undefined : readingAt(key, value)
  }

  /** The oldest first; `below`: only those that a dispute could be opened with. @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
  async *list(filter: { below?: boolean } = {}): AsyncIterable<VehicleReading> {
    for await (const [key, value] of this.#deps.store.entries(PREFIX)) {
      const reading = readingAt(key, value)
      if (filter.below !== true || compareReading(reading) === 'BELOW') yield reading
    }
  }

  async #keep(reading: VehicleReading): Promise<KeepResult> {
    const refusal = this.#refusalOf(reading)
    if (refusal !== undefined) return refusal
    const record = decodeRecord(reading.record)
    const comparison = compareReading(reading)
    const key = keyOf({ lane: reading.lane, ...record })
    const value = encodeReading(reading)
    const { store } = this.#deps
    const before = await store.get(key)
    if (before !== undefined) {
      if (Buffer.compare(before, value) === 0) return { kind: 'REPEATED', comparison }
      const held = readingAt(key, before)
      // ECDSA signs the same reading in many ways: only another reading, or another record, is a contradiction.
      if (held.energyWh === reading.energyWh && Buffer.compare(held.record, reading.record) === 0) {
        return { kind: 'REPEATED', comparison }
      }
      return refused('READING_CONFLICT', `${held.energyWh} Wh were signed for this span before`)
    }
    const drop = await this.#toDrop()
    await store.write([{ key, value }, ...drop])
    this.#count += 1 - drop.length
    if (comparison === 'BELOW') await this.#tell(reading)
    return { kind: 'KEPT', comparison }
  }

  #refusalOf(reading: VehicleReading): KeepResult | undefined {
    const { lane } = reading
    if (reading.record.length !== RECORD_BYTES) {
      return refused('READING_BAD_SIGNATURE', `a record has ${RECORD_BYTES} bytes, not ${reading.record.length}`)
    }
    const { contract, start, intervals } = decodeRecord(reading.record)
    const vehicleKey = this.#deps.vehicleKey(lane, contract)
    if (vehicleKey === undefined) {
      return refused('VEHICLE_KEY_UNKNOWN', `contract ${contract} of lane ${lane} names no key of its vehicle`)
    }
    if (!isVehicleReading({ ...this.#deps.deployment, lane }, reading, vehicleKey)) {
      return refused('READING_BAD_SIGNATURE', `not signed by the key of contract ${contract} in lane ${lane}`)
    }
    if ((start + intervals) * INTERVAL_SECONDS < this.#oldestSeconds()) {
      return refused('READING_TOO_OLD', 'the record is older than any dispute')
    }
    return undefined
  }

  /** What is older than any dispute, and the oldest where there would be too many. */
  async #toDrop(): Promise<StoreOp[]> {
    const oldest = Math.floor(this.#oldestSeconds() / INTERVAL_SECONDS)
    const surplus = this.#count + 1 - MAX_VEHICLE_READINGS
    const drop: StoreOp[] = []
    for await (const [key] of this.#deps.store.entries(PREFIX, { limit: READINGS_DROPPED_AT_ONCE })) {
      const start = Number.parseInt(key.slice(PREFIX.length, PREFIX.length + 8), 16)
      // A record has at most 255 intervals: its start tells near enough.
      if (start + 0xff >= oldest && drop.length >= surplus) break
      drop.push({ key, value: undefined })
    }
    return drop
  }

  async #tell(reading: VehicleReading): Promise<void> {
    const { evse, start, energyWh } = decodeRecord(reading.record)
    const { folder, log } = this.#deps
    const fields = { lane: reading.lane, evse, start, recordWh: energyWh, vehicleWh: reading.energyWh }
    log.warn({ ...fields, code: 'ERR_DATA_INCONSISTENCY' }, 'the car says that it gave less than the record has')
    if (folder === undefined) return
    const path = join(folder, `reading-${reading.lane}-${evse}-${start}.json`)
    try {
      await writeAtomically(path, readingFileText(reading))
    } catch (error) {
      // It is in the store: `list` finds it.
      log.error({ ...fields, err: error }, `cannot write ${path}`)
    }
  }

  #oldestSeconds(): number {
    return this.#deps.now() / 1000 - READING_KEPT_SECONDS
  }
}

function keyOf({ lane, evse, start }: { lane: number; evse: number; start: number }): string {
  return `${PREFIX}${keyU32(start)}/${keyU32(lane)}/${keyU32(evse)}`
}

function readingAt(key: string, value: Uint8Array): VehicleReading {
  const lane = Number.parseInt(key.slice(PREFIX.length + 9, PREFIX.length + 17), 16)
  const reading = decodeReading(lane, value)
  if (reading === undefined) throw dataCorrupted(`${key} is no vehicle reading`)
  return reading
}

function refused(code: RefusalCode, message: string): KeepResult {
  return { kind: 'REFUSED', code, message }
}
