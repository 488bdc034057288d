import { readU16, readU24, readU32, readU40, writeU16, writeU24, writeU32, writeU40 } from './bigEndian.ts'
import { P256_SIGNATURE_BYTES, RECORD_BYTES } from './limits.ts'

/**
 * What an EVSE measured over a span of 15-second intervals (docs/protocol.md §4).
 *
 *  0      4          8       12            13         16            21        23
 *  evse u32 | contract u32 | start u32 | intervals u8 | energyWh u24 | meterEndWh u40 | socDrop u16 | tempC u8
 */
export interface DischargeRecord {
  /** Lane slot of the EVSE. */
  readonly evse: number
  /** Lane slot of the contract. */
  readonly contract: number
  /** First interval since the Unix epoch. */
  readonly start: number
  readonly intervals: number
  /** Exported in the span. */
  readonly energyWh: number
  /** Export register at the span's end. */
  readonly meterEndWh: number
  /** State of charge lost, 0.01 %. */
  readonly socDrop: number
  /** Hottest point; above 150 is unknown. */
  readonly tempC: number
}

/** A record with its P-256 signature, as it travels and as a P-256 chunk holds it. */
export const SIGNED_RECORD_BYTES = RECORD_BYTES + P256_SIGNATURE_BYTES

const FIELD_MAX = {
  evse: 0xffffffff,
  contract: 0xffffffff,
  start: 0xffffffff,
  intervals: 0xff,
  energyWh: 0xffffff,
  meterEndWh: 0xffffffffff,
  socDrop: 0xffff,
  tempC: 0xff,
} as const satisfies Record<keyof DischargeRecord, number>

const FIELDS = Object.keys(FIELD_MAX) as (keyof DischargeRecord)[]

/** The first field that does not fit its width, or undefined. */
export function fieldOutOfRange(record: DischargeRecord): keyof DischargeRecord | undefined {
  return fieldsFit(record) ? undefined : FIELDS.find((name) => !fits(record[name], FIELD_MAX[name]))
}

/** Whether every field is an integer that fits its width. By their names: in a loop over names each look-up is one by hash. */
export function fieldsFit(record: DischargeRecord): boolean {
  return (
    fits(record.evse, FIELD_MAX.evse) &&
    fits(record.contract, FIELD_MAX.contract) &&
    fits(record.start, FIELD_MAX.start) &&
    fits(record.intervals, FIELD_MAX.intervals) &&
    fits(record.energyWh, FIELD_MAX.energyWh) &&
    fits(record.meterEndWh, FIELD_MAX.meterEndWh) &&
    fits(record.socDrop, FIELD_MAX.socDrop) &&
    fits(record.tempC, FIELD_MAX.tempC)
  )
}

const fits = (value: number, max: number): boolean => Number.isInteger(value) && value >= 0 && value <= max

/** @throws RangeError when a field does not fit its width: a record is never silently truncated. */
export function encodeRecord(record: DischargeRecord, into = new Uint8Array(RECORD_BYTES), at = 0): Uint8Array {
  const wrong = fieldOutOfRange(record)
  if (wrong !== undefined) throw new RangeError(`record field ${wrong} out of range: ${record[wrong]}`)
  writeFields(record, into, at)
  return into
}

/** The same for whoever has asked `fieldsFit`. */
export function writeFields(record: DischargeRecord, into: Uint8Array, at: number): void {
  writeU32(into, at, record.evse)
  writeU32(into, at + 4, record.contract)
  writeU32(into, at + 8, record.start)
  into[at + 12] = record.intervals
  writeU24(into, at + 13, record.energyWh)
  writeU40(into, at + 16, record.meterEndWh)
  writeU16(into, at + 21, record.socDrop)
  into[at + 23] = record.tempC
}

export function decodeRecord(bytes: Uint8Array, at = 0): DischargeRecord {
  if (bytes.length < at + RECORD_BYTES) throw new RangeError(`a record takes ${RECORD_BYTES} bytes`)
  return {
    evse: recordEvse(bytes, at),
    contract: recordContract(bytes, at),
    start: recordStart(bytes, at),
    intervals: bytes[at + 12]!,
    energyWh: readU24(bytes, at + 13),
    meterEndWh: readU40(bytes, at + 16),
    socDrop: readU16(bytes, at + 21),
    tempC: bytes[at + 23]!,
  }
}

export const recordEvse = (bytes: Uint8Array, at: number): number => readU32(bytes, at)
export const recordContract = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 4)
export const recordStart = (bytes: Uint8Array, at: number): number => readU32(bytes, at + 8)

export function isEmptyRecord(bytes: Uint8Array, at: number): boolean {
  for (let i = at; i < at + RECORD_BYTES; i++) if (bytes[i] !== 0) return false
  return true
}
