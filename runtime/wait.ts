import { setTimeout as sleep } from 'node:timers/promises'
import { isBackfeedError } from './errors.ts'

/** Resolves after `ms`, or at once when the signal aborts: a loop then sees `signal.aborted` and ends. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, signal === undefined ? {} : { signal })
  } catch (error) {
    if (signal?.aborted !== true) throw error
  }
}

export interface RetryPolicy {
  attempts: number
  firstDelayMs: number
  maxDelayMs: number
}

/** Tries again with doubling pauses. A BackfeedError that is marked final is thrown at once, as is an abort. */
export async function retry<T>(
  policy: RetryPolicy,
  attempt: (attemptIndex: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  for (let index = 0; ; index++) {
    signal?.throwIfAborted()
    try {
      return await attempt(index)
    } catch (error) {
      if (index + 1 >= policy.attempts || (isBackfeedError(error) && !error.retryable)) throw error
      await pause(Math.min(policy.firstDelayMs * 2 ** index, policy.maxDelayMs), signal)
    }
  }
}
