import type { OcppVersion } from '../../gateway/ocpp/config.ts'
import type { ReceivedProfile } from './chargingLimits.ts'
import type { StationLink } from './stationLink.ts'

/** What the central system may ask of a simulated station. */
export interface CommandTarget {
  /** Set by SetVariables (`Component.Variable`) and ChangeConfiguration. */
  readonly variables: Map<string, string>
  setProfile(evseId: number, profile: ReceivedProfile): void
  /** 0: of all EVSEs. Returns how many there were. */
  clearProfiles(evseId: number): number
  /** False: no such transaction. */
  stopTransaction(transaction: string): boolean
  trigger(evseId: number | undefined): void
  reset(): void
  /** Sees every command. */
  saw(action: string, params: unknown): void
}

interface VariableData {
  readonly component: { readonly name: string }
  readonly variable: { readonly name: string }
  readonly attributeValue?: string
}

const ACCEPTED = { status: 'Accepted' }

export function answerCommands(link: StationLink, version: OcppVersion, target: CommandTarget): void {
  const on = (action: string, handler: (params: never) => object): void => {
    link.handle(action, async ({ params }) => {
      target.saw(action, params)
      return handler(params)
    })
  }
  const limit = (evseId: number, profile: ReceivedProfile): object => {
    target.setProfile(evseId, profile)
    return ACCEPTED
  }
  const clear = (evseId = 0): object => (target.clearProfiles(evseId) > 0 ? ACCEPTED : { status: 'Unknown' })
  const stop = (transaction: string): object =>
    target.stopTransaction(transaction) ? ACCEPTED : { status: 'Rejected' }
  const trigger = (evseId: number | undefined): object => {
    target.trigger(evseId)
    return ACCEPTED
  }
  on('Reset', () => {
    target.reset()
    return ACCEPTED
  })
  if (version === 'ocpp1.6') {
    on('SetChargingProfile', (params: { connectorId: number; csChargingProfiles: ReceivedProfile }) =>
      limit(params.connectorId, params.csChargingProfiles),
    )
    on('ClearChargingProfile', ({ connectorId }: { connectorId?: number }) => clear(connectorId))
    on('RemoteStopTransaction', ({ transactionId }: { transactionId: number }) => stop(String(transactionId)))
    on('TriggerMessage', ({ connectorId }: { connectorId?: number }) => trigger(connectorId))
    on('ChangeConfiguration', ({ key, value }: { key: string; value: string }) => {
      target.variables.set(key, value)
      return ACCEPTED
    })
    on('GetConfiguration', ({ key = [] }: { key?: string[] }) => ({
      configurationKey: key.map((name) => ({ key: name, readonly: false, value: target.variables.get(name) ?? '' })),
    }))
    return
  }
  on('SetChargingProfile', (params: { evseId: number; chargingProfile: ReceivedProfile }) =>
    limit(params.evseId, params.chargingProfile),
  )
  on('ClearChargingProfile', (params: { chargingProfileCriteria?: { evseId?: number } }) =>
    clear(params.chargingProfileCriteria?.evseId),
  )
  on('RequestStopTransaction', ({ transactionId }: { transactionId: string }) => stop(transactionId))
  on('TriggerMessage', ({ evse }: { evse?: { id: number } }) => trigger(evse?.id))
  on('SetVariables', ({ setVariableData }: { setVariableData: VariableData[] }) => ({
    setVariableResult: setVariableData.map(({ component, variable, attributeValue }) => {
      target.variables.set(`${component.name}.${variable.name}`, attributeValue ?? '')
      return { attributeStatus: 'Accepted', component, variable }
    }),
  }))
  on('GetVariables', ({ getVariableData }: { getVariableData: VariableData[] }) => ({
    getVariableResult: getVariableData.map(({ component, variable }) => {
      const attributeValue = target.variables.get(`${component.name}.${variable.name}`)
      if (attributeValue === undefined) return { attributeStatus: 'UnknownVariable', component, variable }
      return { attributeStatus: 'Accepted', attributeValue, component, variable }
    }),
  }))
}
