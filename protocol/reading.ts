import { createHash } from 'node:crypto'
import { hexToBytes } from 'viem'
import { writeBigUint, writeU24, writeU32 } from './bigEndian.ts'
import type { LaneName } from './domain.ts'

/** reading domain 32 ‖ evse u32 ‖ start u32 ‖ intervals u8 ‖ energyWh u24 */
export const READING_MESSAGE_BYTES = 44

/** Whose meter: the numbers of `Reading.source` on L1. */
export const ReadingSource = { VEHICLE: 1, GRID: 2 } as const
export type ReadingSource = (typeof ReadingSource)[keyof typeof ReadingSource]

/** What another meter saw of a discharge. The span is the record's. */
export interface MeterReading {
  readonly evse: number
  readonly start: number
  readonly intervals: number
  readonly energyWh: number
}

/** SHA-256("backfeed/1/reading" ‖ chainId u256 ‖ rollup address ‖ lane u32), docs/protocol.md §15.8. */
export function readingDomain({ chainId, rollup, lane }: LaneName): Uint8Array {
  const tail = new Uint8Array(56)
  writeBigUint(tail, 0, 32, chainId)
  tail.set(hexToBytes(rollup), 32)
  writeU32(tail, 52, lane)
  return createHash('sha256').update('backfeed/1/reading').update(tail).digest()
}

/** What a vehicle or a grid meter signs: P-256 over SHA-256 of these bytes, raw r ‖ s. @throws RangeError when a field does not fit */
export function readingMessage(domain: Uint8Array, reading: MeterReading): Uint8Array {
  const { evse, start, intervals, energyWh } = reading
  const most = { evse: 0xffffffff, start: 0xffffffff, intervals: 0xff, energyWh: 0xffffff }
  for (const [name, limit] of Object.entries(most)) {
    const value = reading[name as keyof MeterReading]
    if (!Number.isInteger(value) || value < 0 || value > limit) {
      throw new RangeError(`reading field ${name} out of range: ${value}`)
    }
  }
  const message = new Uint8Array(READING_MESSAGE_BYTES)
  message.set(domain)
  writeU32(message, 32, evse)
  writeU32(message, 36, start)
  message[40] = intervals
  writeU24(message, 41, energyWh)
  return message
}
