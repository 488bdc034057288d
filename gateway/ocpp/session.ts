import { isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { KnownStation } from './admission.ts'
import { CallQueue } from './callQueue.ts'
import type { OcppVersion } from './config.ts'
import { MAX_CALLS_UNDER_WAY } from './limits.ts'
import type { OcppMetrics } from './metrics.ts'
import { type RpcConnection, rpcError } from './rpc.ts'
import type { StationClock } from './stationClock.ts'

/** What outlives a connection: the order of a station's messages, and what is known of its clock. */
export interface StationMemory {
  readonly clock: StationClock
  /** The message before has been dealt with. */
  tail: Promise<unknown>
}

export interface SessionSettings {
  readonly connection: RpcConnection
  readonly version: OcppVersion
  readonly station: KnownStation
  readonly certificateEndMs: number | undefined
  readonly memory: StationMemory
  readonly callTimeoutMs: number
  readonly log: Logger
  readonly metrics: OcppMetrics
  readonly monotonicMs: () => number
}

/** One station's connection. */
export class StationSession {
  readonly version: OcppVersion
  readonly station: KnownStation
  readonly certificateEndMs: number | undefined
  readonly memory: StationMemory
  readonly log: Logger
  readonly #connection: RpcConnection
  readonly #settings: SessionSettings
  readonly #calls = new CallQueue()
  #underWay = 0

  constructor(settings: SessionSettings) {
    this.version = settings.version
    this.station = settings.station
    this.certificateEndMs = settings.certificateEndMs
    this.memory = settings.memory
    this.log = settings.log
    this.#connection = settings.connection
    this.#settings = settings
  }

  get id(): string {
    return this.station.id
  }

  /** Answers calls of this action. */
  handle(action: string, handler: (params: never) => Promise<object>): void {
    const { metrics, monotonicMs } = this.#settings
    this.#connection.handle(action, async ({ params }) => {
      if (this.#underWay >= MAX_CALLS_UNDER_WAY) throw rpcError('InternalError', 'too many calls at once')
      const startMs = monotonicMs()
      this.#underWay++
      try {
        const answer = await handler(params as never)
        metrics.answered(action, 'ok', (monotonicMs() - startMs) / 1_000)
        return answer
      } catch (error) {
        metrics.answered(action, 'error', (monotonicMs() - startMs) / 1_000)
        throw this.#asRpcError(error, action)
      } finally {
        this.#underWay--
      }
    })
  }

  /** After everything of this station that came before, over any connection. */
  inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.memory.tail.then(work)
    this.memory.tail = result.catch(() => {})
    return result
  }

  /** @throws BackfeedError STATION_UNREACHABLE; the RPC error of a station that refuses */
  async call(
    action: string,
    params: object,
    options: { signal?: AbortSignal; urgent?: boolean } = {},
  ): Promise<unknown> {
    const { callTimeoutMs, metrics, monotonicMs } = this.#settings
    const startMs = monotonicMs()
    const giveUp = new AbortController()
    const abort = (): void => giveUp.abort()
    const { signal } = giveUp
    const timer = setTimeout(abort, callTimeoutMs)
    options.signal?.addEventListener('abort', abort, { once: true })
    if (options.signal?.aborted === true) abort()
    let outcome = 'UNREACHABLE'
    try {
      // No timer of ocpp-rpc's: it costs an error with a stack and an aborted controller for every call that is answered in time.
      const answer = await this.#calls.run(options.urgent ?? false, signal, () =>
        this.#connection.call(action, params, { callTimeoutMs: 0, signal }),
      )
      outcome = statusOf(answer) ?? 'ANSWERED'
      return answer
    } catch (error) {
      if (isRpcError(error)) outcome = 'ERROR'
      throw error
    } finally {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', abort)
      metrics.command(action, outcome, (monotonicMs() - startMs) / 1_000)
    }
  }

  /** The connection is gone or another took its place. */
  ended(): void {
    this.#calls.close()
  }

  drop(reason: string): void {
    this.#connection.close({ code: 1001, reason, force: true })?.catch(() => {})
  }

  /** Details of a fault are for the log, not for the wire. */
  #asRpcError(error: unknown, action: string): unknown {
    if (isRpcError(error)) {
      this.log.warn({ action, err: error }, 'a message was refused')
      return error
    }
    if (isBackfeedError(error, 'METER_EVENT_INVALID')) {
      // Sent again it says the same.
      this.log.error({ action, err: error }, 'a message holds what no meter can say: it is refused for good')
      return rpcError('PropertyConstraintViolation', 'no such reading can exist')
    }
    this.log.error({ action, err: error }, 'a message could not be dealt with: the station is to send it again')
    return rpcError('InternalError', 'not now')
  }
}

/** An answer in OCPP's own terms, as against a station that did not answer. */
export function isRpcError(error: unknown): boolean {
  return error instanceof Error && 'rpcErrorCode' in error
}

/** Most answers have one; a closed list in the standard, so it may be a label. */
export function statusOf(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('status' in answer)) return undefined
  return typeof answer.status === 'string' ? answer.status : undefined
}
