import type { Telemetry, TelemetrySink } from '../../evse/guard/telemetry.ts'
import type { Directory } from '../fleet/directory.ts'
import type { OcppConfig } from './config.ts'
import type { OcppProblem } from './problems.ts'
import type { ReadingGroup } from './reading.ts'
import { rpcError } from './rpc.ts'
import type { StationSession } from './session.ts'
import { measuredOf } from './telemetryReading.ts'
import { findContract, type Transactions } from './transactions.ts'
import type { TransactionStore } from './transactionStore.ts'

/** What a car asked for by ISO 15118 (NotifyEVChargingNeeds). Absent: it did not say. */
export interface ChargingNeeds {
  readonly departureMs?: number
  /** 0.01 %. */
  readonly socBp?: number
  /** What the battery holds, Wh. */
  readonly capacityWh?: number
  /** As OCPP names it: DC, AC_three_phase, DC_BPT. */
  readonly energyTransfer: string
}

/** What all versions' handlers have in common. */
export interface StationContext {
  readonly config: OcppConfig
  readonly directory: Directory
  readonly store: TransactionStore
  readonly transactions: Transactions
  /** For metering, whoever guards the EVSE. `atMs` of the station's clock, milliseconds since the Unix epoch. */
  readonly temperature: (evse: string, atMs: number, tempC: number) => void
  readonly telemetry: TelemetrySink
  readonly needs: (evse: string, needs: ChargingNeeds) => void
  readonly problem: (problem: OcppProblem, options?: { standing?: boolean }) => void
  readonly clear: (problem: Omit<OcppProblem, 'message'>) => void
  /** After a boot, when the answer is on its way. */
  readonly booted: (session: StationSession) => void
  readonly now: () => number
  readonly monotonicMs: () => number
}

/** @throws an RPC error: the schema lets through what is no time, such as a leap second, and years before clocks counted */
export function timeOf(text: string): number {
  const atMs = Date.parse(text)
  if (!(atMs >= 0)) throw rpcError('FormatViolation', `${text} is no time`)
  return atMs
}

/** Whether a token may charge: `known` asks for a contract at any EVSE of the station, or at this one. */
export function acceptsToken(
  context: StationContext,
  session: StationSession,
  token: string,
  evseId?: number,
): boolean {
  if (context.config.authorize === 'all') return true
  return context.directory.evses.some(
    ({ ocpp, lane }) =>
      ocpp?.station === session.id &&
      (evseId === undefined || ocpp.evseId === evseId) &&
      findContract(context.directory, lane, token) !== undefined,
  )
}

/** A live message says how late the station's clock is. */
export function watchClock(context: StationContext, session: StationSession, receivedMs: number, atMs: number): void {
  const { clock } = session.memory
  clock.observe(receivedMs, atMs)
  const problem = { code: 'CLOCK_UNTRUSTED', station: session.id }
  if (clock.trusted()) context.clear(problem)
  else {
    const offsetMs = clock.offsetMs()!
    const message = `its clock is ${Math.abs(Math.round(offsetMs))} ms ${offsetMs > 0 ? 'behind' : 'ahead'}`
    // Rounded, so that a clock that wanders is not a new problem each time.
    context.problem({ ...problem, message: message.replace(/\d+ ms/, (text) => roundedMs(text)) }, { standing: true })
  }
}

function roundedMs(text: string): string {
  return `${Math.round(Number.parseInt(text, 10) / 1_000)} s`
}

/** Live samples to the fail-safe, of an EVSE whose telemetry comes by OCPP. The age at arrival is taken off. */
export function sendTelemetry(
  context: StationContext,
  session: StationSession,
  evseId: number,
  groups: readonly ReadingGroup[],
): void {
  for (const { atMs, readings } of groups) {
    const measured = measuredOf(readings, context.config.nominalVoltageV)
    if (measured !== undefined) sendMeasured(context, session, evseId, atMs, measured)
  }
}

export function sendMeasured(
  context: StationContext,
  session: StationSession,
  evseId: number | undefined,
  atMs: number,
  measured: Omit<Telemetry, 'atMs'>,
): void {
  if (Number.isNaN(atMs)) return
  const ageMs = Math.max(0, context.now() - atMs)
  // Said of the whole station (EVSE 0 or none): it holds for each of its EVSEs.
  const one = evseId === undefined || evseId === 0 ? undefined : context.directory.atStation(session.id, evseId)
  const evses = evseId === undefined || evseId === 0 ? context.directory.evses : one === undefined ? [] : [one]
  for (const evse of evses) {
    if (evse.ocpp?.station !== session.id) continue
    if (measured.tempC !== undefined) context.temperature(evse.name, atMs, measured.tempC)
    if (evse.telemetry !== 'ocpp') continue
    context.telemetry(evse.name, { ...measured, atMs: context.monotonicMs() - ageMs })
  }
}
