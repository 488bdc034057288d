import type { RecordSigner } from '../../evse/signer/recordSigner.ts'
import { recordDomain, recordMessage } from '../../protocol/domain.ts'
import { type DischargeRecord, encodeRecord, SIGNED_RECORD_BYTES } from '../../protocol/record.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { Directory } from './directory.ts'

export interface RecordSigningDeps {
  readonly directory: Directory
  readonly signers: ReadonlyMap<string, RecordSigner>
  readonly chainId: bigint
  readonly rollup: `0x${string}`
}

/**
 * Signs an EVSE's record for its lane and its registered place (docs/protocol.md §4): record 24 ‖ signature 64.
 * @throws BackfeedError EVSE_UNKNOWN (retryable), SIGNER_MISSING, and whatever its signer says
 */
export function recordSigning({ directory, signers, chainId, rollup }: RecordSigningDeps) {
  const domains = new Map<number, Uint8Array>()
  return async (name: string, record: DischargeRecord): Promise<Uint8Array> => {
    const evse = directory.evse(name)
    if (evse === undefined) {
      throw new BackfeedError('EVSE_UNKNOWN', `${name} is not on L1`, { retryable: true, details: { evse: name } })
    }
    const signer = signers.get(name)
    if (signer === undefined) {
      throw new BackfeedError('SIGNER_MISSING', `${name} has no signer, and something was metered for it here`, {
        details: { evse: name },
      })
    }
    const domain = domains.get(evse.lane) ?? recordDomain({ chainId, rollup, lane: evse.lane })
    domains.set(evse.lane, domain)
    const row = new Uint8Array(SIGNED_RECORD_BYTES)
    encodeRecord(record, row)
    row.set(await signer.sign(recordMessage(domain, row.subarray(0, RECORD_BYTES), evse.lat, evse.lon)), RECORD_BYTES)
    return row
  }
}
