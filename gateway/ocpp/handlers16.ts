import { createHash } from 'node:crypto'
import type { MeterEvent } from '../../evse/metering/meterEvent.ts'
import { evseName, noteFault } from './handlers2.ts'
import { MAX_REMEMBERED_CONTENTS } from './limits.ts'
import { type MeterValue, type ReadingGroup, readingsOf16, type SampledValue16 } from './reading.ts'
import type { StationSession } from './session.ts'
import { acceptsToken, type StationContext, sendTelemetry, timeOf, watchClock } from './stationContext.ts'
import type { TransactionRow } from './transactionStore.ts'

// OCPP 1.6J. Transactions have ids of ours and messages no sequence numbers: both are given here, durably and by content, so that a message
// that comes twice is the same message. meterStart and meterStop are the import register, and of no use.

interface StartTransaction {
  readonly connectorId: number
  readonly idTag: string
  readonly meterStart: number
  readonly timestamp: string
}

interface StopTransaction {
  readonly transactionId: number
  readonly idTag?: string
  readonly meterStop: number
  readonly timestamp: string
  readonly transactionData?: readonly MeterValue<SampledValue16>[]
}

interface MeterValues {
  readonly connectorId: number
  readonly transactionId?: number
  readonly meterValue: readonly MeterValue<SampledValue16>[]
}

/** OCPP 1.6 does not say that a message waited: what is this old at its arrival did. */
const OFFLINE_AFTER_MS = 30_000

const NOTED = [
  'FirmwareStatusNotification',
  'DiagnosticsStatusNotification',
  'LogStatusNotification',
  'SignedFirmwareStatusNotification',
]

export function answer16(session: StationSession, context: StationContext): void {
  const now = (): string => new Date(context.now()).toISOString()
  session.handle('BootNotification', async (boot: Record<string, unknown>) => {
    session.log.info(
      { model: boot.chargePointModel, vendor: boot.chargePointVendor, firmware: boot.firmwareVersion },
      'station booted',
    )
    context.booted(session)
    return { currentTime: now(), interval: context.config.heartbeatS, status: 'Accepted' }
  })
  session.handle('Heartbeat', async () => ({ currentTime: now() }))
  session.handle('StatusNotification', async (status: { connectorId: number; status: string; errorCode: string }) => {
    const evse = evseName(context, session, status.connectorId)
    session.log.info({ evse, connectorStatus: status.status, errorCode: status.errorCode }, 'connector status')
    noteFault(context, session, status.connectorId, status.status === 'Faulted')
    return {}
  })
  session.handle('Authorize', async ({ idTag }: { idTag: string }) => ({ idTagInfo: tagInfo(context, session, idTag) }))
  session.handle('StartTransaction', (start: StartTransaction) =>
    session.inOrder(() => onStart(context, session, start)),
  )
  session.handle('MeterValues', (values: MeterValues) => onMeterValues(context, session, values))
  session.handle('StopTransaction', (stop: StopTransaction) => session.inOrder(() => onStop(context, session, stop)))
  session.handle('DataTransfer', async () => ({ status: 'UnknownVendorId' }))
  session.handle('SecurityEventNotification', async (event: { type: string; techInfo?: string }) => {
    session.log.warn({ type: event.type, techInfo: event.techInfo }, 'security event of a station')
    return {}
  })
  session.handle('SignCertificate', async () => ({ status: 'Rejected' }))
  for (const action of NOTED) {
    session.handle(action, async (params: object) => {
      session.log.debug({ action, params }, 'noted')
      return {}
    })
  }
}

function tagInfo(context: StationContext, session: StationSession, idTag: string, connectorId?: number): object {
  return { status: acceptsToken(context, session, idTag, connectorId) ? 'Accepted' : 'Invalid' }
}

async function onStart(context: StationContext, session: StationSession, start: StartTransaction): Promise<object> {
  const startedBy = contentOf(start)
  let row: TransactionRow | undefined
  for (const known of context.store.of(session.id)) if (known.v16?.startedBy === startedBy) row = known
  row ??= await context.store.create16({
    station: session.id,
    evseId: start.connectorId,
    token: start.idTag,
    early: [],
    ended: false,
    beganMs: timeOf(start.timestamp),
    touchedMs: 0,
    v16: { startedBy, nextSeqNo: 1, contents: [] },
  })
  await pass(context, session, { row, kind: 'STARTED', timestamp: start.timestamp, groups: [], seqNo: 0 })
  const evse = evseName(context, session, start.connectorId)
  session.log.info({ evse, transaction: row.transaction }, 'transaction started')
  return {
    transactionId: Number(row.transaction),
    idTagInfo: tagInfo(context, session, start.idTag, start.connectorId),
  }
}

async function onMeterValues(context: StationContext, session: StationSession, values: MeterValues): Promise<object> {
  const groups = readingsOf16(values.meterValue)
  const receivedMs = context.now()
  const live = groups.filter(({ atMs }) => receivedMs - atMs < OFFLINE_AFTER_MS)
  sendTelemetry(context, session, values.connectorId, live)
  const { transactionId } = values
  if (transactionId === undefined) return {}
  return session.inOrder(async () => {
    const row = context.store.get(session.id, String(transactionId))
    if (row?.v16 === undefined) return unknownTransaction(context, session, transactionId)
    const timestamp = values.meterValue.at(-1)?.timestamp ?? new Date(receivedMs).toISOString()
    await passNumbered(context, session, row, values, { kind: 'UPDATED', timestamp, groups })
    return {}
  })
}

async function onStop(context: StationContext, session: StationSession, stop: StopTransaction): Promise<object> {
  const row = context.store.get(session.id, String(stop.transactionId))
  if (row?.v16 === undefined) return unknownTransaction(context, session, stop.transactionId)
  const groups = readingsOf16(stop.transactionData)
  await passNumbered(context, session, row, stop, { kind: 'ENDED', timestamp: stop.timestamp, groups })
  const evse = row.evseId === undefined ? undefined : evseName(context, session, row.evseId)
  session.log.info({ evse, transaction: row.transaction }, 'transaction ended')
  return stop.idTag === undefined ? {} : { idTagInfo: tagInfo(context, session, stop.idTag) }
}

interface Numbered {
  readonly kind: MeterEvent['kind']
  readonly timestamp: string
  readonly groups: readonly ReadingGroup[]
}

/** The same content gets the same number, also after a restart. */
async function passNumbered(
  context: StationContext,
  session: StationSession,
  row: TransactionRow,
  message: object,
  event: Numbered,
): Promise<void> {
  const content = contentOf(message)
  const v16 = row.v16!
  let seqNo = v16.contents.find(([known]) => known === content)?.[1]
  let numbered = row
  if (seqNo === undefined) {
    seqNo = v16.nextSeqNo
    const contents = [...v16.contents, [content, seqNo] as [string, number]].slice(-MAX_REMEMBERED_CONTENTS)
    numbered = { ...row, v16: { ...v16, nextSeqNo: seqNo + 1, contents } }
    await context.store.put(numbered)
  }
  await pass(context, session, { ...event, row: numbered, seqNo })
}

async function pass(
  context: StationContext,
  session: StationSession,
  { row, kind, timestamp, groups, seqNo }: Numbered & { row: TransactionRow; seqNo: number },
): Promise<void> {
  const receivedMs = context.now()
  const atMs = timeOf(timestamp)
  const offline = receivedMs - atMs > OFFLINE_AFTER_MS
  if (!offline) watchClock(context, session, receivedMs, atMs)
  await context.transactions.take({
    station: session.id,
    transaction: row.transaction,
    kind,
    seqNo,
    atMs,
    offline,
    evseId: row.evseId,
    token: row.token,
    groups,
  })
}

/** OCPP 1.6 knows no way to refuse it, and the station would send it for ever. What it metered is in the log. */
function unknownTransaction(context: StationContext, session: StationSession, transactionId: number): object {
  const message = `transaction ${transactionId} was not given by this gateway: what it metered is not settled`
  context.problem({ code: 'TRANSACTION_UNKNOWN', message, station: session.id })
  return {}
}

function contentOf(message: object): string {
  return createHash('sha256').update(JSON.stringify(message)).digest('base64').slice(0, 24)
}
