import type { CommandAnswer, CommandPort } from '../../evse/guard/commandPort.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Directory } from '../fleet/directory.ts'
import { idleProfile21, type LimitOrder, profile16, profile21, profile201 } from './chargingProfile.ts'
import { isRpcError, type StationSession, statusOf } from './session.ts'
import type { TransactionStore } from './transactionStore.ts'

export interface CommandDeps {
  readonly directory: Directory
  readonly transactions: TransactionStore
  /** The station's connection, if there is one. */
  readonly session: (station: string) => StationSession | undefined
  readonly maxOfflineS: number
  readonly log: Logger
}

interface Target {
  readonly session: StationSession
  readonly evseId: number
  readonly transaction: string | undefined
}

/** Pauses, limits and stops by OCPP. Whether a station obeyed is told by its meter. */
export class OcppCommands implements CommandPort {
  readonly #deps: CommandDeps
  /** Connection → transactions that have an Idle profile beneath. */
  readonly #idle = new WeakMap<StationSession, Map<number, string>>()

  constructor(deps: CommandDeps) {
    this.#deps = deps
  }

  async setLimit(evse: string, watts: number, signal: AbortSignal): Promise<CommandAnswer> {
    const target = this.#target(evse)
    if (target === undefined) return 'UNREACHABLE'
    if (!(watts >= 0) || watts === Number.POSITIVE_INFINITY) return 'REJECTED'
    const { session, evseId, transaction } = target
    const { discharge } = session.station
    const order: LimitOrder = { evseId, transaction, watts, discharge, maxOfflineS: this.#deps.maxOfflineS }
    if (session.version === 'ocpp1.6') return this.#send(evse, session, 'SetChargingProfile', profile16(order), signal)
    if (session.version === 'ocpp2.0.1')
      return this.#send(evse, session, 'SetChargingProfile', profile201(order), signal)
    // The order that matters goes first: the floor beneath it can wait.
    const answer = await this.#send(evse, session, 'SetChargingProfile', profile21(order), signal)
    if (answer === 'ACCEPTED' && watts > 0) await this.#layIdle(evse, session, order, signal)
    return answer
  }

  async stop(evse: string, reason: string, signal: AbortSignal): Promise<CommandAnswer> {
    const target = this.#target(evse)
    if (target === undefined) return 'UNREACHABLE'
    const { session, transaction } = target
    const log = session.log.child({ evse, transaction })
    if (transaction === undefined) {
      log.warn({ reason }, 'nothing to stop: no transaction is known')
      return 'REJECTED'
    }
    log.warn({ reason }, 'stopping the transaction')
    if (session.version === 'ocpp1.6') {
      return this.#send(evse, session, 'RemoteStopTransaction', { transactionId: Number(transaction) }, signal)
    }
    return this.#send(evse, session, 'RequestStopTransaction', { transactionId: transaction }, signal)
  }

  async #layIdle(evse: string, session: StationSession, order: LimitOrder, signal: AbortSignal): Promise<void> {
    if (order.transaction === undefined || order.maxOfflineS === 0) return
    const laid = this.#idle.get(session) ?? new Map<number, string>()
    this.#idle.set(session, laid)
    if (laid.get(order.evseId) === order.transaction) return
    const answer = await this.#send(evse, session, 'SetChargingProfile', idleProfile21(order), signal)
    if (answer === 'ACCEPTED') laid.set(order.evseId, order.transaction)
    else session.log.warn({ evse, answer }, 'no Idle profile beneath: when cut off, the station does as it likes')
  }

  #target(evse: string): Target | undefined {
    const place = this.#deps.directory.evse(evse)?.ocpp
    const session = place === undefined ? undefined : this.#deps.session(place.station)
    if (place === undefined || session === undefined) return undefined
    const transaction = this.#deps.transactions.openAt(place.station, place.evseId)?.transaction
    return { session, evseId: place.evseId, transaction }
  }

  async #send(
    evse: string,
    session: StationSession,
    action: string,
    params: object,
    signal: AbortSignal,
  ): Promise<CommandAnswer> {
    try {
      const status = statusOf(await session.call(action, params, { signal, urgent: true }))
      if (status === 'Accepted') return 'ACCEPTED'
      session.log.warn({ evse, action, status }, 'the station refused a command')
      return 'REJECTED'
    } catch (error) {
      session.log.warn({ evse, action, err: error }, 'a command failed')
      return isRpcError(error) ? 'REJECTED' : 'UNREACHABLE'
    }
  }
}
