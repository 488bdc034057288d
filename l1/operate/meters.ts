import { type KeyObject, sign } from 'node:crypto'
import { type Address, encodeAbiParameters, type Hex } from 'viem'
import { type MeterReading, readingMessage } from '../../protocol/reading.ts'
import { toHex } from '../bytes.ts'
import type { L1Account } from '../client.ts'

/** What a zone says of a grid meter (docs/protocol.md §15.8). */
export interface GridMeter {
  readonly lane: number
  readonly evse: number
  /** P-256, x ‖ y. */
  readonly key: Uint8Array
  /** It serves spans inside [fromInterval, toInterval). */
  readonly fromInterval: number
  readonly toInterval: number
}

const gridMeterTypes = {
  GridMeter: [
    { name: 'lane', type: 'uint32' },
    { name: 'evse', type: 'uint32' },
    { name: 'keyX', type: 'bytes32' },
    { name: 'keyY', type: 'bytes32' },
    { name: 'fromInterval', type: 'uint32' },
    { name: 'toInterval', type: 'uint32' },
  ],
} as const

const credentialParameters = [
  { type: 'bytes32' },
  { type: 'bytes32' },
  { type: 'uint32' },
  { type: 'uint32' },
  { type: 'bytes' },
] as const

/** Raw r ‖ s of a vehicle's or grid meter's P-256 key. */
export function signReading(key: KeyObject, domain: Uint8Array, reading: MeterReading): Hex {
  return toHex(sign('sha256', readingMessage(domain, reading), { key, dsaEncoding: 'ieee-p1363' }))
}

/** The zone's certifier vouches for a grid meter: the `credentials` of its readings. */
export async function gridMeterCredentials(
  certifier: L1Account,
  domain: { chainId: number; court: Address },
  meter: GridMeter,
): Promise<Hex> {
  const { lane, evse, fromInterval, toInterval } = meter
  if (meter.key.length !== 64) throw new RangeError('a meter’s key is x ‖ y, 64 bytes')
  const keyX = toHex(meter.key.subarray(0, 32))
  const keyY = toHex(meter.key.subarray(32))
  const certificate = await certifier.signTypedData({
    domain: { name: 'Backfeed', version: '1', chainId: domain.chainId, verifyingContract: domain.court },
    types: gridMeterTypes,
    primaryType: 'GridMeter',
    message: { lane, evse, keyX, keyY, fromInterval, toInterval },
  })
  return encodeAbiParameters(credentialParameters, [keyX, keyY, fromInterval, toInterval, certificate])
}
