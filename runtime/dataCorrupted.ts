import { BackfeedError, ExitCode } from './errors.ts'

/** Stored data is not what was written. Final: going on would mean settling money from doubtful state. */
export function dataCorrupted(what: string, details: Record<string, unknown> = {}, cause?: unknown): BackfeedError {
  return new BackfeedError('DATA_CORRUPTED', `stored data is damaged: ${what}`, {
    exitCode: ExitCode.dataCorrupted,
    details,
    ...(cause === undefined ? {} : { cause }),
  })
}
