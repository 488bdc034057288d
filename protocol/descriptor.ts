import { type Hex, keccak256 } from 'viem'
import { readBigUint, readI32, readU16, readU24, writeBigUint, writeU16, writeU24, writeU32 } from './bigEndian.ts'
import { CONTRACT_DESCRIPTOR_BYTES, MAX_CAPACITY_WH, MAX_RATED_W } from './limits.ts'
import { layoutByDescriptorBytes, layoutByKeyBytes } from './scheme.ts'

/** keyX | keyY, 32 or 64 bytes each | ratedW u24 | lat i32 | lon i32 | radiusM u16 | deposit u64 (docs/protocol.md §15.1). */
export interface EvseDescriptor {
  /** Affine x ‖ y: 64 bytes for P-256, 128 as EIP-2537 has them for BLS12-381. Its length tells the scheme. */
  readonly key: Uint8Array
  readonly ratedW: number
  /** Degrees × 10^7. */
  readonly lat: number
  readonly lon: number
  /** Geofence. */
  readonly radiusM: number
  readonly depositMicro: bigint
}

/** vehicle u64 | incentiveBps u16 | capacityWh u24 | vehicleKey x 32 ‖ y 32, zero for none (docs/protocol.md §15.1). */
export interface ContractDescriptor {
  /** Token id of the vehicle's ERC-721. */
  readonly vehicle: bigint
  readonly incentiveBps: number
  readonly capacityWh: number
  readonly vehicleKey: Uint8Array | undefined
}

/** A vehicle signs with P-256 in lanes of either scheme. */
export const VEHICLE_KEY_BYTES = 64

// Offsets in an EVSE descriptor, counted from the end of its key.
export const EVSE_RATED_W_AT = 0
/** lat ‖ lon: the signed place of discharge. */
export const EVSE_POSITION_AT = 3

/** @throws RangeError when a field does not fit: a descriptor that lost a bit would still hash. */
export function encodeEvseDescriptor(evse: EvseDescriptor): Uint8Array {
  const layout = layoutByKeyBytes(evse.key.length)
  if (layout === undefined) throw new RangeError('an EVSE key is x ‖ y, 64 bytes for P-256 or 128 for BLS12-381')
  checkWhole('ratedW', evse.ratedW, 1, MAX_RATED_W - 1)
  checkWhole('lat', evse.lat, -(2 ** 31), 2 ** 31 - 1)
  checkWhole('lon', evse.lon, -(2 ** 31), 2 ** 31 - 1)
  checkWhole('radiusM', evse.radiusM, 0, 0xffff)
  checkU64('depositMicro', evse.depositMicro)
  const bytes = new Uint8Array(layout.evseDescriptorBytes)
  const at = layout.keyBytes
  bytes.set(evse.key)
  writeU24(bytes, at, evse.ratedW)
  writeU32(bytes, at + 3, evse.lat >>> 0)
  writeU32(bytes, at + 7, evse.lon >>> 0)
  writeU16(bytes, at + 11, evse.radiusM)
  writeBigUint(bytes, at + 13, 8, evse.depositMicro)
  return bytes
}

export function decodeEvseDescriptor(bytes: Uint8Array): EvseDescriptor {
  const layout = layoutByDescriptorBytes(bytes.length)
  if (layout === undefined) throw new RangeError(`no EVSE descriptor takes ${bytes.length} bytes`)
  const at = layout.keyBytes
  return {
    key: bytes.slice(0, at),
    ratedW: readU24(bytes, at),
    lat: readI32(bytes, at + 3),
    lon: readI32(bytes, at + 7),
    radiusM: readU16(bytes, at + 11),
    depositMicro: readBigUint(bytes, at + 13, 8),
  }
}

/** @throws RangeError when a field does not fit. */
export function encodeContractDescriptor(contract: ContractDescriptor): Uint8Array {
  checkU64('vehicle', contract.vehicle)
  checkWhole('incentiveBps', contract.incentiveBps, 0, 0xffff)
  checkWhole('capacityWh', contract.capacityWh, 1, MAX_CAPACITY_WH - 1)
  if (contract.vehicleKey !== undefined && contract.vehicleKey.length !== VEHICLE_KEY_BYTES) {
    throw new RangeError('a vehicle key is x ‖ y, 64 bytes')
  }
  const bytes = new Uint8Array(CONTRACT_DESCRIPTOR_BYTES)
  writeBigUint(bytes, 0, 8, contract.vehicle)
  writeU16(bytes, 8, contract.incentiveBps)
  writeU24(bytes, 10, contract.capacityWh)
  if (contract.vehicleKey !== undefined) bytes.set(contract.vehicleKey, 13)
  return bytes
}

export function decodeContractDescriptor(bytes: Uint8Array): ContractDescriptor {
  if (bytes.length !== CONTRACT_DESCRIPTOR_BYTES) {
    throw new RangeError(`a contract descriptor takes ${CONTRACT_DESCRIPTOR_BYTES} bytes, not ${bytes.length}`)
  }
  const key = bytes.slice(13)
  return {
    vehicle: readBigUint(bytes, 0, 8),
    incentiveBps: readU16(bytes, 8),
    capacityWh: readU24(bytes, 10),
    vehicleKey: key.some((byte) => byte !== 0) ? key : undefined,
  }
}

/** The registry's word: keccak256(descriptor)[0..24) | activeFrom u32 | endsAt u32. */
export function slotWord(descriptor: Uint8Array, activeFrom: number, endsAt: number): Hex {
  const word = keccak256(descriptor, 'bytes')
  writeU32(word, 24, activeFrom)
  writeU32(word, 28, endsAt)
  return `0x${Buffer.from(word).toString('hex')}`
}

function checkWhole(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) throw new RangeError(`${name} out of range: ${value}`)
}

function checkU64(name: string, value: bigint): void {
  if (value < 0n || value >= 2n ** 64n) throw new RangeError(`${name} out of range: ${value}`)
}
