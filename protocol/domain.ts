import { createHash } from 'node:crypto'
import { type Address, hexToBytes } from 'viem'
import { writeBigUint, writeU32 } from './bigEndian.ts'
import { RECORD_BYTES } from './limits.ts'

/** domain(32) ‖ record(24) ‖ lat i32 ‖ lon i32 */
export const RECORD_MESSAGE_BYTES = 64

export interface LaneName {
  readonly chainId: bigint
  readonly rollup: Address
  readonly lane: number
}

/** SHA-256("backfeed/1/record" ‖ chainId u256 ‖ rollup address ‖ lane u32): binds a signature to one lane (§4). */
export function recordDomain({ chainId, rollup, lane }: LaneName): Uint8Array {
  const tail = new Uint8Array(56)
  writeBigUint(tail, 0, 32, chainId)
  tail.set(hexToBytes(rollup), 32)
  writeU32(tail, 52, lane)
  return createHash('sha256').update('backfeed/1/record').update(tail).digest()
}

/** Lays the 64 bytes that an EVSE signs into `into`. `position` is the registered lat ‖ lon, 8 bytes at `positionAt`. */
export function writeRecordMessage(
  into: Uint8Array,
  parts: { domain: Uint8Array; record: Uint8Array; recordAt: number; position: Uint8Array; positionAt: number },
): void {
  into.set(parts.domain, 0)
  for (let i = 0; i < RECORD_BYTES; i++) into[32 + i] = parts.record[parts.recordAt + i]!
  for (let i = 0; i < 8; i++) into[56 + i] = parts.position[parts.positionAt + i]!
}

/** The 64 bytes that an EVSE at (`lat`, `lon`), degrees × 10^7, signs for `record`. */
export function recordMessage(domain: Uint8Array, record: Uint8Array, lat: number, lon: number): Uint8Array {
  const message = new Uint8Array(RECORD_MESSAGE_BYTES)
  const position = new Uint8Array(8)
  writeU32(position, 0, lat >>> 0)
  writeU32(position, 4, lon >>> 0)
  writeRecordMessage(message, { domain, record, recordAt: 0, position, positionAt: 0 })
  return message
}
