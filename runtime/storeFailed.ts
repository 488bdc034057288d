import { BackfeedError } from './errors.ts'

/** A disk that is full or fails. Nothing is lost that was acknowledged; asked again it may work. */
export function storeFailed(message: string, cause?: unknown): BackfeedError {
  return new BackfeedError('STORE_FAILED', message, { retryable: true, ...(cause === undefined ? {} : { cause }) })
}
