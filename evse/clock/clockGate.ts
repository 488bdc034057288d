import { INTERVAL_SECONDS } from '../../protocol/limits.ts'
import { decodeRecord } from '../../protocol/record.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { RecordSigner } from '../signer/recordSigner.ts'
import type { ClockCheck } from './clockCheck.ts'

/** The record in a message to be signed: domain 32 ‖ record 24 ‖ position 8 (docs/protocol.md §4). */
const RECORD_AT = 32

/**
 * A signer that signs only what was measured under a good clock, and only while the clock is good.
 * @throws on sign: BackfeedError CLOCK_UNTRUSTED; retryable while it may still turn out well, final for a span whose times nobody knows
 */
export function clockGated(signer: RecordSigner, clock: Pick<ClockCheck, 'judge' | 'problems'>): RecordSigner {
  return {
    publicKey: signer.publicKey,
    expiresAtMs: signer.expiresAtMs,
    sign: async (message) => {
      const { start, intervals } = decodeRecord(message, RECORD_AT)
      const verdict = clock.judge(start * INTERVAL_SECONDS * 1_000, (start + intervals) * INTERVAL_SECONDS * 1_000)
      if (verdict === 'YES') return await signer.sign(message)
      const why =
        verdict === 'NO' ? 'the clock was wrong in its span' : (clock.problems()[0]?.message ?? 'its span is not over')
      throw new BackfeedError('CLOCK_UNTRUSTED', `the record is not signed: ${why}`, { retryable: verdict === 'LATER' })
    },
    close: () => signer.close(),
    [Symbol.asyncDispose]: () => signer.close(),
  }
}
