import { BaseError, ContractFunctionRevertedError, HttpRequestError, TimeoutError } from 'viem'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'

/** The node did not answer at all, as opposed to answering with an error. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof BaseError)) return error instanceof TypeError && error.message.includes('fetch')
  const cause = error.walk((inner) => inner instanceof HttpRequestError || inner instanceof TimeoutError)
  if (cause === null || cause === undefined) return false
  if (cause instanceof TimeoutError) return true
  // A status means that something answered: overload and gateway faults pass, the rest are the node's own words.
  const status = (cause as HttpRequestError).status
  return status === undefined || status === 429 || status >= 500
}

/** Turns whatever viem threw into a fault of ours that says what was being attempted. */
export function l1Error(attempted: string, cause: unknown, details: Record<string, unknown> = {}): BackfeedError {
  if (cause instanceof BackfeedError) return cause
  if (isUnreachable(cause)) {
    return new BackfeedError('L1_UNREACHABLE', `L1 did not answer: ${attempted}`, {
      retryable: true,
      exitCode: ExitCode.l1Unreachable,
      cause,
      details,
    })
  }
  return new BackfeedError('L1_CALL_FAILED', `L1 answered with an error: ${attempted}: ${shortMessage(cause)}`, {
    exitCode: ExitCode.refusedByL1,
    cause,
    details,
  })
}

export function shortMessage(error: unknown): string {
  if (error instanceof BaseError) {
    const details = error.details
    return details !== undefined && details !== '' ? details : error.shortMessage
  }
  return error instanceof Error ? error.message : String(error)
}

/** The bytes a call reverted with, however deep viem or the node hid them. */
export function revertData(error: unknown): `0x${string}` | undefined {
  let current: unknown = error
  for (let depth = 0; depth < 12 && typeof current === 'object' && current !== null; depth++) {
    if (current instanceof ContractFunctionRevertedError && current.raw !== undefined) return current.raw
    const data = (current as { data?: unknown }).data
    if (typeof data === 'string' && data.startsWith('0x')) return data as `0x${string}`
    if (typeof data === 'object' && data !== null) {
      const nested = (data as { data?: unknown }).data
      if (typeof nested === 'string' && nested.startsWith('0x')) return nested as `0x${string}`
    }
    current = (current as { cause?: unknown }).cause
  }
  return undefined
}
