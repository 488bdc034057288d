import type { MeterEvent } from '../../evse/metering/meterEvent.ts'
import { type MeterValue, readingsOf2, type SampledValue2 } from './reading.ts'
import { rpcError } from './rpc.ts'
import type { StationSession } from './session.ts'
import {
  acceptsToken,
  type ChargingNeeds,
  type StationContext,
  sendMeasured,
  sendTelemetry,
  timeOf,
  watchClock,
} from './stationContext.ts'
import { type EventData, measuredOfEvent } from './telemetryReading.ts'

// OCPP 2.0.1 and 2.1: what stations may ask and tell. Shapes are checked by the standard's schemas before a handler runs; only what is
// looked at is named here.

interface IdToken {
  readonly idToken: string
  readonly type: string
}

interface TransactionEvent {
  readonly eventType: 'Started' | 'Updated' | 'Ended'
  readonly timestamp: string
  readonly seqNo: number
  readonly offline?: boolean
  readonly meterValue?: readonly MeterValue<SampledValue2>[]
  readonly transactionInfo: { readonly transactionId: string }
  readonly evse?: { readonly id: number }
  readonly idToken?: IdToken
}

interface AuthorizeRequest {
  readonly idToken: IdToken
  readonly certificate?: string
}

interface EvChargingNeeds {
  readonly evseId: number
  readonly chargingNeeds: {
    readonly requestedEnergyTransfer: string
    readonly departureTime?: string
    readonly dcChargingParameters?: { readonly stateOfCharge?: number; readonly evEnergyCapacity?: number }
  }
}

const KINDS: Readonly<Record<TransactionEvent['eventType'], MeterEvent['kind']>> = {
  Started: 'STARTED',
  Updated: 'UPDATED',
  Ended: 'ENDED',
}

/** OCPP 2.0.1 part 2, 2.1.5, and a little more generous. */
const IDENTIFIER = /^[\x21-\x7e]{1,36}$/

/** Told by the station and of no consequence here: logged, answered, done. */
const NOTED_2 = [
  'ClearedChargingLimit',
  'FirmwareStatusNotification',
  'LogStatusNotification',
  'NotifyChargingLimit',
  'NotifyCustomerInformation',
  'NotifyDisplayMessages',
  'NotifyMonitoringReport',
  'NotifyReport',
  'PublishFirmwareStatusNotification',
  'ReportChargingProfiles',
  'ReservationStatusUpdate',
]
const NOTED_21 = ['NotifyDERAlarm', 'NotifyDERStartStop', 'NotifyPriorityCharging', 'ReportDERControl']

export function answer2(session: StationSession, context: StationContext): void {
  session.handle('BootNotification', async (boot: { reason: string; chargingStation: Record<string, unknown> }) => {
    session.log.info({ reason: boot.reason, ...boot.chargingStation }, 'station booted')
    context.booted(session)
    return {
      currentTime: new Date(context.now()).toISOString(),
      interval: context.config.heartbeatS,
      status: 'Accepted',
    }
  })
  session.handle('Heartbeat', async () => ({ currentTime: new Date(context.now()).toISOString() }))
  session.handle(
    'StatusNotification',
    async (status: { connectorStatus: string; evseId: number; connectorId: number }) => {
      const { connectorStatus, evseId, connectorId } = status
      session.log.info({ connectorStatus, evse: evseName(context, session, evseId), connectorId }, 'connector status')
      noteFault(context, session, evseId, connectorStatus === 'Faulted')
      return {}
    },
  )
  session.handle('Authorize', async (request: AuthorizeRequest) => authorize(context, session, request))
  session.handle('TransactionEvent', async (event: TransactionEvent) => {
    checkAndForward(context, session, event)
    return session.inOrder(() => onTransactionEvent(context, session, event))
  })
  session.handle('MeterValues', async (values: { evseId: number; meterValue: MeterValue<SampledValue2>[] }) => {
    // Outside of transactions: nobody's car, so telemetry alone.
    sendTelemetry(context, session, values.evseId, readingsOf2(values.meterValue))
    return {}
  })
  session.handle('NotifyEvent', async ({ eventData }: { eventData: readonly EventData[] }) => {
    for (const event of eventData) onEvent(context, session, event)
    return {}
  })
  session.handle('SecurityEventNotification', async (event: { type: string; timestamp: string; techInfo?: string }) => {
    session.log.warn({ type: event.type, techInfo: event.techInfo }, 'security event of a station')
    return {}
  })
  session.handle('NotifyEVChargingNeeds', async (request: EvChargingNeeds) => {
    onNeeds(context, session, request)
    // No schedule comes from here: the fail-safe gives limits when it must, and the car decides beneath them.
    return { status: session.version === 'ocpp2.1' ? 'NoChargingProfile' : 'Rejected' }
  })
  session.handle('NotifyEVChargingSchedule', async () => ({ status: 'Accepted' }))
  session.handle('DataTransfer', async () => ({ status: 'UnknownVendorId' }))
  // There is no certificate authority here, and saying so is better than letting a car wait.
  session.handle('SignCertificate', async () => ({ status: 'Rejected', statusInfo: { reasonCode: 'NoCA' } }))
  session.handle('Get15118EVCertificate', async () => ({ status: 'Failed', exiResponse: '' }))
  session.handle('GetCertificateStatus', async () => ({ status: 'Failed' }))
  const noted = session.version === 'ocpp2.1' ? [...NOTED_2, ...NOTED_21] : NOTED_2
  for (const action of noted) {
    session.handle(action, async (params: object) => {
      session.log.debug({ action, params }, 'noted')
      return {}
    })
  }
}

function authorize(
  context: StationContext,
  session: StationSession,
  { idToken, certificate }: AuthorizeRequest,
): object {
  // A whole chain is sent by a station that could not check it. Neither can the gateway, without the roots of ISO 15118.
  if (certificate !== undefined)
    return { idTokenInfo: { status: 'Invalid' }, certificateStatus: 'NoCertificateAvailable' }
  return { idTokenInfo: { status: tokenStatus(context, session, idToken) } }
}

function tokenStatus(context: StationContext, session: StationSession, token: IdToken, evseId?: number): string {
  if (token.type === 'NoAuthorization') return context.config.authorize === 'all' ? 'Accepted' : 'Invalid'
  return acceptsToken(context, session, token.idToken, evseId) ? 'Accepted' : 'Unknown'
}

/** The fail-safe is told at once: it does not wait for the disk. */
function checkAndForward(context: StationContext, session: StationSession, event: TransactionEvent): void {
  const atMs = timeOf(event.timestamp)
  // The schemas of 2.0.1 let both through.
  if (event.seqNo < 0) throw rpcError('PropertyConstraintViolation', 'seqNo is below zero')
  if (!IDENTIFIER.test(event.transactionInfo.transactionId)) {
    throw rpcError('PropertyConstraintViolation', 'transactionId is no identifierString')
  }
  if (event.offline === true) return
  watchClock(context, session, context.now(), atMs)
  const evseId = evseIdOf(context, session, event)
  if (evseId !== undefined) sendTelemetry(context, session, evseId, readingsOf2(event.meterValue))
}

function evseIdOf(context: StationContext, session: StationSession, event: TransactionEvent): number | undefined {
  return event.evse?.id ?? context.store.get(session.id, event.transactionInfo.transactionId)?.evseId
}

async function onTransactionEvent(
  context: StationContext,
  session: StationSession,
  event: TransactionEvent,
): Promise<object> {
  const offline = event.offline ?? false
  const transaction = event.transactionInfo.transactionId
  const evseId = evseIdOf(context, session, event)
  await context.transactions.take({
    station: session.id,
    transaction,
    kind: KINDS[event.eventType],
    seqNo: event.seqNo,
    atMs: timeOf(event.timestamp),
    offline,
    evseId: event.evse?.id,
    token: event.idToken?.idToken,
    groups: readingsOf2(event.meterValue),
  })
  if (event.eventType !== 'Updated') {
    const evse = evseId === undefined ? undefined : evseName(context, session, evseId)
    session.log.info({ evse, transaction, seqNo: event.seqNo, offline }, `transaction ${event.eventType.toLowerCase()}`)
  }
  if (event.idToken === undefined) return {}
  return { idTokenInfo: { status: tokenStatus(context, session, event.idToken, evseId) } }
}

function onEvent(context: StationContext, session: StationSession, event: EventData): void {
  const evseId = event.component.evse?.id
  const evse = evseId === undefined ? undefined : evseName(context, session, evseId)
  const { component, variable, actualValue, trigger, techCode, techInfo } = event
  const fields = { evse, component: component.name, variable: variable.name, actualValue, techCode, techInfo }
  if (trigger === 'Alerting' && event.cleared !== true) session.log.warn(fields, 'a station reports an alert')
  else session.log.debug(fields, 'a station reports an event')
  const measured = measuredOfEvent(event, context.config.snrVariables)
  if (measured !== undefined) sendMeasured(context, session, evseId, Date.parse(event.timestamp), measured)
}

function onNeeds(context: StationContext, session: StationSession, { evseId, chargingNeeds }: EvChargingNeeds): void {
  const evse = evseName(context, session, evseId)
  if (evse === undefined) return
  const departureMs = Date.parse(chargingNeeds.departureTime ?? '')
  const { stateOfCharge, evEnergyCapacity } = chargingNeeds.dcChargingParameters ?? {}
  const needs: ChargingNeeds = {
    energyTransfer: chargingNeeds.requestedEnergyTransfer,
    ...(Number.isNaN(departureMs) ? {} : { departureMs }),
    ...(stateOfCharge === undefined ? {} : { socBp: Math.round(stateOfCharge * 100) }),
    ...(evEnergyCapacity === undefined ? {} : { capacityWh: evEnergyCapacity }),
  }
  session.log.info({ evse, ...needs }, 'what the car asks for')
  context.needs(evse, needs)
}

export function evseName(context: StationContext, session: StationSession, evseId: number): string | undefined {
  return context.directory.atStation(session.id, evseId)?.name
}

export function noteFault(context: StationContext, session: StationSession, evseId: number, isFaulted: boolean): void {
  const problem = { code: 'STATION_FAULTED', station: session.id, evse: evseName(context, session, evseId) }
  if (isFaulted) context.problem({ ...problem, message: `EVSE ${evseId} reports a fault` }, { standing: true })
  else context.clear(problem)
}
