import { INTERVAL_SECONDS } from '../../protocol/limits.ts'
import { decodeRecord } from '../../protocol/record.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { RecordSigner } from '../../evse/signer/recordSigner.ts'
import type { Refusal, Span } from './permit.ts'

/** The record in a message to be signed: domain 32 ‖ record 24 ‖ position 8 (docs/protocol.md §4). */
const RECORD_AT = 32

/** A signer that signs only what its EVSE may: in its slot's time, and inside its fence. @throws on sign: BackfeedError with the refusal's code */
export function permittedSigner(signer: RecordSigner, refusalOf: (span: Span) => Refusal | undefined): RecordSigner {
  return {
    publicKey: signer.publicKey,
    expiresAtMs: signer.expiresAtMs,
    sign: async (message) => {
      const { start, intervals } = decodeRecord(message, RECORD_AT)
      const refused = refusalOf({ start: start * INTERVAL_SECONDS, end: (start + intervals) * INTERVAL_SECONDS })
      if (refused !== undefined) {
        const { code, message: text, evse, retryable, reason } = refused
        throw new BackfeedError(code, text, { retryable, details: { evse, ...(reason && { reason }) } })
      }
      return await signer.sign(message)
    },
    close: () => signer.close(),
    [Symbol.asyncDispose]: () => signer.close(),
  }
}
