import { NOTICE_SECONDS } from '../../protocol/limits.ts'

export interface DatingInput {
  /** Seconds, like all of it. */
  readonly now: number
  /** Of the newest L1 block held final. */
  readonly finalTime: number
  /** How far ahead of the clock a batch is dated, so that it can take records while it fills. */
  readonly aheadSeconds: number
  readonly previousAsOf: number
}

/**
 * The `asOf` of a batch opened now. Everything that settlement may see at it is known from blocks held final, because every L1 write
 * takes effect a notice later (docs/protocol.md §2). Undefined while L1's finality lags too far for that.
 */
export function chooseAsOf(input: DatingInput): number | undefined {
  const known = input.finalTime + NOTICE_SECONDS - 1
  if (input.now > known) return undefined
  const asOf = Math.max(input.previousAsOf, Math.min(input.now + input.aheadSeconds, known))
  return asOf > known ? undefined : asOf
}
