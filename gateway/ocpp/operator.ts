import { BackfeedError } from '../../runtime/errors.ts'
import { isRpcError, type StationSession, statusOf } from './session.ts'

export interface VariableName {
  readonly component: string
  readonly instance?: string
  /** OCPP 1.6: the configuration key. */
  readonly variable: string
  readonly variableInstance?: string
}

export interface VariableValue extends VariableName {
  /** Undefined: the station has no such variable, or does not tell. */
  readonly value: string | undefined
}

/** As OCPP names what a station may be asked to send. */
export type TriggeredMessage =
  | 'BootNotification'
  | 'Heartbeat'
  | 'MeterValues'
  | 'StatusNotification'
  | 'TransactionEvent'

/**
 * What a person may ask of a station. Each resolves with the station's own word for it (`Accepted`, `Rejected`, `Scheduled` …).
 * @throws BackfeedError STATION_UNREACHABLE (retryable): not connected, or silent; STATION_REFUSED: answered with an error of OCPP
 */
export class OcppOperator {
  readonly #session: (station: string) => StationSession | undefined

  constructor(session: (station: string) => StationSession | undefined) {
    this.#session = session
  }

  /** OCPP 1.6 has no TransactionEvent: meter values are asked for instead. */
  async triggerMessage(station: string, message: TriggeredMessage, evseId?: number): Promise<string> {
    if (this.#found(station).version === 'ocpp1.6') {
      const requestedMessage = message === 'TransactionEvent' ? 'MeterValues' : message
      const connector = evseId === undefined ? {} : { connectorId: evseId }
      return this.#status(station, 'TriggerMessage', { requestedMessage, ...connector })
    }
    const evse = evseId === undefined ? {} : { evse: { id: evseId } }
    return this.#status(station, 'TriggerMessage', { requestedMessage: message, ...evse })
  }

  /** `OnIdle`: after its transactions. OCPP 1.6 resets the whole station. */
  async reset(station: string, type: 'Immediate' | 'OnIdle', evseId?: number): Promise<string> {
    if (this.#found(station).version === 'ocpp1.6') {
      return this.#status(station, 'Reset', { type: type === 'Immediate' ? 'Hard' : 'Soft' })
    }
    return this.#status(station, 'Reset', { type, ...(evseId === undefined ? {} : { evseId }) })
  }

  /** Removes every limit at this EVSE (0: of the whole station). */
  async clearChargingProfiles(station: string, evseId: number): Promise<string> {
    if (this.#found(station).version === 'ocpp1.6') {
      return this.#status(station, 'ClearChargingProfile', { connectorId: evseId })
    }
    return this.#status(station, 'ClearChargingProfile', { chargingProfileCriteria: { evseId } })
  }

  async getVariables(station: string, names: readonly VariableName[]): Promise<VariableValue[]> {
    if (this.#found(station).version === 'ocpp1.6') {
      const answer = (await this.#call(station, 'GetConfiguration', {
        key: names.map(({ variable }) => variable),
      })) as {
        configurationKey?: readonly { key: string; value?: string }[]
      }
      const values = new Map(answer.configurationKey?.map(({ key, value }) => [key, value]))
      return names.map((name) => ({ ...name, value: values.get(name.variable) }))
    }
    const answer = (await this.#call(station, 'GetVariables', {
      getVariableData: names.map((name) => ({ ...componentOf(name) })),
    })) as { getVariableResult: readonly { attributeStatus: string; attributeValue?: string }[] }
    return names.map((name, index) => ({ ...name, value: answer.getVariableResult[index]?.attributeValue }))
  }

  /** In the order of `values`: what the station said to each. */
  async setVariables(station: string, values: readonly (VariableName & { value: string })[]): Promise<string[]> {
    if (this.#found(station).version === 'ocpp1.6') {
      const statuses: string[] = []
      for (const { variable, value } of values) {
        statuses.push(await this.#status(station, 'ChangeConfiguration', { key: variable, value }))
      }
      return statuses
    }
    const answer = (await this.#call(station, 'SetVariables', {
      setVariableData: values.map((value) => ({ ...componentOf(value), attributeValue: value.value })),
    })) as { setVariableResult: readonly { attributeStatus: string }[] }
    return values.map((_, index) => answer.setVariableResult[index]?.attributeStatus ?? 'Rejected')
  }

  async #status(station: string, action: string, params: object): Promise<string> {
    return statusOf(await this.#call(station, action, params)) ?? 'Accepted'
  }

  async #call(station: string, action: string, params: object): Promise<unknown> {
    try {
      return await this.#found(station).call(action, params)
    } catch (cause) {
      if (cause instanceof BackfeedError) throw cause
      if (isRpcError(cause)) throw new BackfeedError('STATION_REFUSED', `${station} refused ${action}`, { cause })
      throw new BackfeedError('STATION_UNREACHABLE', `${station} did not answer ${action}`, { retryable: true, cause })
    }
  }

  #found(station: string): StationSession {
    const session = this.#session(station)
    if (session !== undefined) return session
    throw new BackfeedError('STATION_UNREACHABLE', `${station} is not connected`, { retryable: true })
  }
}

function componentOf({ component, instance, variable, variableInstance }: VariableName): object {
  return {
    component: { name: component, ...(instance === undefined ? {} : { instance }) },
    variable: { name: variable, ...(variableInstance === undefined ? {} : { instance: variableInstance }) },
  }
}
