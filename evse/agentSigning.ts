import type { Address } from 'viem'
import { recordDomain, recordMessage } from '../protocol/domain.ts'
import { type DischargeRecord, encodeRecord } from '../protocol/record.ts'
import type { OwnPosition } from './position/ownPosition.ts'
import type { RecordSigner } from './signer/recordSigner.ts'

export interface SigningPlace {
  readonly chainId: number
  readonly rollup: Address
  readonly lane: number
  /** Degrees, as registered. */
  readonly lat: number
  readonly lon: number
}

const SCALE = 1e7

/**
 * Makes rows: record 24 ‖ signature 64, bound to the lane and the registered place.
 * @throws BackfeedError ERR_GEOFENCE, CLOCK_UNTRUSTED (by the signer's gate), ERR_AUTH_EXPIRED, HSM_UNAVAILABLE
 */
export function recordSigning(
  place: SigningPlace,
  position: OwnPosition,
  signer: RecordSigner,
): (record: DischargeRecord) => Promise<Uint8Array> {
  const { chainId, rollup, lane, lat, lon } = place
  const domain = recordDomain({ chainId: BigInt(chainId), rollup, lane })
  return async (fields) => {
    position.check()
    const record = encodeRecord(fields)
    const message = recordMessage(domain, record, Math.round(lat * SCALE), Math.round(lon * SCALE))
    const signature = await signer.sign(message)
    const row = new Uint8Array(record.length + signature.length)
    row.set(record)
    row.set(signature, record.length)
    return row
  }
}
