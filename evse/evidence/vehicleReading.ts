import { readU24, writeU24 } from '../../protocol/bigEndian.ts'
import type { LaneName } from '../../protocol/domain.ts'
import { DISPUTE_TOLERANCE_BPS, P256_SIGNATURE_BYTES, RECORD_BYTES } from '../../protocol/limits.ts'
import { parseP256Key, verifyP256 } from '../../protocol/p256.ts'
import { readingDomain, readingMessage } from '../../protocol/reading.ts'
import { type DischargeRecord, decodeRecord } from '../../protocol/record.ts'

// What a car's own meter saw of one record (an ISO 15118-20 metering confirmation, as a signature by the contract's key): docs/protocol.md §12, §15.8.

/** A reading beside the record that it is about. */
export interface VehicleReading {
  readonly lane: number
  /** 24 bytes. */
  readonly record: Uint8Array
  /** What the car says that it gave. */
  readonly energyWh: number
  /** P-256 over `readingToSign`, raw r ‖ s, 64 bytes. */
  readonly signature: Uint8Array
}

/**
 * AGREES: within the court's tolerance of the record, or above it, which changes nothing on L1. BELOW: by more than that, which a dispute would uphold
 * if the grid's meter does not say otherwise.
 */
export type Comparison = 'AGREES' | 'BELOW'

/** The bytes that the car hashes by SHA-256 and signs. @throws RangeError when the energy does not fit 24 bits */
export function readingToSign(lane: LaneName, record: DischargeRecord, energyWh: number): Uint8Array {
  const { evse, start, intervals } = record
  return readingMessage(readingDomain(lane), { evse, start, intervals, energyWh })
}

/** Whether the car's key signed exactly this. Never throws. */
export function isVehicleReading(lane: LaneName, reading: VehicleReading, vehicleKey: Uint8Array): boolean {
  if (reading.record.length !== RECORD_BYTES || vehicleKey.length !== 64) return false
  if (!Number.isInteger(reading.energyWh) || reading.energyWh < 0 || reading.energyWh > 0xffffff) return false
  const message = readingToSign(lane, decodeRecord(reading.record), reading.energyWh)
  return verifyP256(parseP256Key(vehicleKey), message, reading.signature)
}

export function compareReading({ record, energyWh }: VehicleReading): Comparison {
  const recordWh = decodeRecord(record).energyWh
  return (recordWh - energyWh) * 10_000 > recordWh * DISPUTE_TOLERANCE_BPS ? 'BELOW' : 'AGREES'
}

/** The file that `backfeed bridge dispute open` and `answer` take as `--reading`. */
export function readingFileText({ energyWh, signature }: VehicleReading): string {
  const text = { source: 'vehicle', energyWh, signature: `0x${Buffer.from(signature).toString('hex')}` }
  return `${JSON.stringify(text, undefined, 2)}\n`
}

/** record 24 ‖ energyWh u24 ‖ signature 64 */
const VALUE_BYTES = RECORD_BYTES + 3 + P256_SIGNATURE_BYTES

export function encodeReading({ record, energyWh, signature }: VehicleReading): Uint8Array {
  const bytes = new Uint8Array(VALUE_BYTES)
  bytes.set(record)
  writeU24(bytes, RECORD_BYTES, energyWh)
  bytes.set(signature, RECORD_BYTES + 3)
  return bytes
}

/** Undefined for bytes of another length. */
export function decodeReading(lane: number, bytes: Uint8Array): VehicleReading | undefined {
  if (bytes.length !== VALUE_BYTES) return undefined
  return {
    lane,
    record: bytes.slice(0, RECORD_BYTES),
    energyWh: readU24(bytes, RECORD_BYTES),
    signature: bytes.slice(RECORD_BYTES + 3),
  }
}
