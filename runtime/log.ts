import { type DestinationStream, type Logger as PinoLogger, type LoggerOptions, pino } from 'pino'
import { BackfeedError, describeError } from './errors.ts'

export type Logger = PinoLogger

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
/** Of a message or stack of an error that is not ours. */
const MAX_ERROR_CHARS = 2_000

export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogSettings {
  /** Name of the process: `sequencer`, `prover`. Stages and lanes are child fields: `log.child({stage, lane})`. */
  service: string
  level?: LogLevel
  /** Default: pretty when standard output is a terminal. */
  pretty?: boolean
  destination?: DestinationStream
}

export function createLogger(settings: LogSettings): Logger {
  const options: LoggerOptions = {
    level: settings.level ?? 'info',
    base: { service: settings.service },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: serializeError },
    // A key that slips into a field must not reach a log shipper.
    redact: {
      paths: ['privateKey', '*.privateKey', 'password', '*.password', 'secret', '*.secret'],
      censor: '[removed]',
    },
  }
  if (settings.destination !== undefined) return pino(options, settings.destination)
  if (settings.pretty ?? process.stdout.isTTY) {
    return pino({
      ...options,
      transport: { target: 'pino-pretty', options: { ignore: 'service', translateTime: 'HH:MM:ss.l' } },
    })
  }
  return pino(options)
}

/** For tests and one-shot commands. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' })
}

/** `bigint` is common in our fields and JSON has none. */
function serializeError(error: unknown): unknown {
  if (!(error instanceof BackfeedError)) return error instanceof Error ? serializeForeign(error) : String(error)
  const details = Object.entries(error.details).map(([key, value]) => [
    key,
    typeof value === 'bigint' ? value.toString() : value,
  ])
  return {
    code: error.code,
    message: describeError(error),
    retryable: error.retryable,
    details: Object.fromEntries(details),
    stack: error.stack,
  }
}

/** viem puts whole request bodies into its messages, blobs too: a megabyte a line. */
function serializeForeign(error: Error): unknown {
  const clip = (text: string): string => (text.length > MAX_ERROR_CHARS ? `${text.slice(0, MAX_ERROR_CHARS)}…` : text)
  return { type: error.name, message: clip(describeError(error)), stack: clip(error.stack ?? '') }
}
