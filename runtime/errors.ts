/** What a process says to whoever started it. */
export const ExitCode = {
  ok: 0,
  internalFault: 1,
  usage: 2,
  l1Unreachable: 3,
  dataCorrupted: 4,
  refusedByL1: 5,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

export interface ErrorOptions {
  /** Whether the same attempt may succeed later without anybody changing anything. Default false. */
  retryable?: boolean
  exitCode?: ExitCode
  cause?: unknown
  /** Ids and values that a log line should carry as fields. */
  details?: Record<string, unknown>
}

/**
 * A fault: something that stopped what was being attempted. A rejected input is a value, not one of these.
 * `code` is stable and may be matched on; the message is for people.
 */
export class BackfeedError extends Error {
  override readonly name = 'BackfeedError'
  readonly code: string
  readonly retryable: boolean
  readonly exitCode: ExitCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    this.exitCode = options.exitCode ?? ExitCode.internalFault
    this.details = options.details ?? {}
  }
}

export function isBackfeedError(error: unknown, code?: string): error is BackfeedError {
  return error instanceof BackfeedError && (code === undefined || error.code === code)
}

/** The code a process should end with: that of the outermost BackfeedError in the chain of causes. */
export function exitCodeOf(error: unknown): ExitCode {
  let current = error
  for (let depth = 0; depth < 16 && current instanceof Error; depth++) {
    if (current instanceof BackfeedError && current.exitCode !== ExitCode.internalFault) return current.exitCode
    current = current.cause
  }
  return ExitCode.internalFault
}

/** One line with the whole chain of causes, for people. */
export function describeError(error: unknown): string {
  const parts: string[] = []
  let current = error
  for (let depth = 0; depth < 16 && current !== undefined && current !== null; depth++) {
    if (!(current instanceof Error)) {
      parts.push(String(current))
      break
    }
    const firstLine = current.message.split('\n', 1)[0] ?? ''
    parts.push(current instanceof BackfeedError ? `${firstLine} [${current.code}]` : firstLine)
    current = current.cause
  }
  return parts.join(': ')
}
