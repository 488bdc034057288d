import { type Control, type ControlKind, type EventState, isEmpty, overlaps, type Span } from '../model/gridEvent.ts'
import { randomWithin } from '../model/randomWithin.ts'
import { type DerControl, EventStatus, type SepEvent } from './resources.ts'

export interface ProgramControls {
  readonly program: { readonly mrid: string; readonly primacy: number }
  readonly controls: readonly DerControl[]
}

/** A DERControl with its place in time settled. All times by the server's clock. */
export interface ResolvedControl {
  readonly control: DerControl
  readonly program: { readonly mrid: string; readonly primacy: number }
  readonly state: EventState
  readonly setPoints: readonly Control[]
  /** Start and end as devices follow them, if nothing ends it before. */
  readonly effective: Span
  /** When everything it asks for had ended early, and by whom. */
  readonly ended: Ended | undefined
}

export interface Ended {
  readonly at: number
  readonly by: 'cancel' | 'server' | 'sameProgram' | 'otherProgram'
}

export interface ResolveInput {
  readonly programs: readonly ProgramControls[]
  /** Seconds, by the server's clock. */
  readonly serverNow: number
  /** Makes a device's randomisation its own: the LFDI. */
  readonly seed: string
}

/**
 * Which of overlapping events counts (IEEE 2030.5-2018, 10.2.3.3). Of two that set the same thing, the one whose program has the
 * lower primacy counts, then the newer (creationTime), then the greater mRID. The other is terminated when the first begins and is not
 * taken up again when it ends; if it has not begun by then it does not begin at all. A stronger event that is cancelled before it began supersedes
 * nothing. What a server marked as superseded is, from the time it says.
 *
 * Pure: the same input gives the same answer, so it is computed anew at every look.
 */
export function resolveControls(input: ResolveInput): ResolvedControl[] {
  const ranked = input.programs
    .flatMap(({ program, controls }) => controls.map((control) => ({ program, control })))
    .sort(
      (a, b) =>
        a.program.primacy - b.program.primacy ||
        b.control.creationTime - a.control.creationTime ||
        (a.control.mrid < b.control.mrid ? 1 : -1),
    )
  /** What stronger events hold, by kind. */
  const held = new Map<ControlKind, { nominal: Span; effective: Span; program: string }[]>()
  return ranked.map(({ program, control }) => {
    const effective = effectiveSpan(control, input.seed)
    const stop = stopOf(control, input.seed)
    const superseders: { at: number; program: string }[] = []
    const setPoints = control.setPoints.map(([kind, value]): Control => {
      const holders = held.get(kind) ?? []
      let nominal = cut(control.interval, stop?.nominal)
      let followed = cut(effective, stop?.effective)
      for (const holder of holders) {
        if (overlaps(nominal, holder.nominal)) {
          superseders.push({ at: Math.max(holder.nominal.start, control.interval.start), program: holder.program })
          nominal = cut(nominal, holder.nominal.start)
        }
        if (overlaps(followed, holder.effective)) followed = cut(followed, holder.effective.start)
      }
      if (!isEmpty(nominal) || !isEmpty(followed))
        held.set(kind, [...holders, { nominal, effective: followed, program: program.mrid }])
      return { kind, value, nominal, effective: followed }
    })
    const ended = endedOf(control, setPoints, superseders, program.mrid)
    const state = stateOf({ control, effective, ended, serverNow: input.serverNow })
    return { control, program, state, setPoints, effective, ended }
  })
}

/** Start and duration moved by random seconds within the event's bounds, the same at every look and after a restart. */
export function effectiveSpan(event: SepEvent, seed: string): Span {
  const start = event.interval.start + randomWithin(event.randomizeStart, `${seed}/${event.mrid}/start`)
  const duration = event.interval.end - event.interval.start
  const moved = duration + randomWithin(event.randomizeDuration, `${seed}/${event.mrid}/duration`)
  return { start, end: start + Math.max(0, moved) }
}

/** When the server ended it before its time. With randomisation (status 3) devices follow up to the larger bound later. */
function stopOf(control: DerControl, seed: string): { nominal: number; effective: number } | undefined {
  const { status, statusTime } = control
  if (status === EventStatus.cancelledRandomized) {
    const bound = Math.max(Math.abs(control.randomizeStart), Math.abs(control.randomizeDuration))
    const hasBegun = effectiveSpan(control, seed).start < statusTime
    const later = hasBegun ? randomWithin(bound, `${seed}/${control.mrid}/cancel`) : 0
    return { nominal: statusTime, effective: statusTime + later }
  }
  if (status === EventStatus.cancelled || status === EventStatus.superseded) {
    return { nominal: statusTime, effective: statusTime }
  }
  return undefined
}

function cut(span: Span, at: number | undefined): Span {
  if (at === undefined || at >= span.end) return span
  return { start: span.start, end: Math.max(span.start, at) }
}

function endedOf(
  control: DerControl,
  setPoints: readonly Control[],
  superseders: readonly { at: number; program: string }[],
  program: string,
): Ended | undefined {
  const { status, statusTime } = control
  if (status === EventStatus.cancelled || status === EventStatus.cancelledRandomized)
    return { at: statusTime, by: 'cancel' }
  if (status === EventStatus.superseded) return { at: statusTime, by: 'server' }
  const isWhollyCut = setPoints.length > 0 && setPoints.every(({ nominal }) => nominal.end < control.interval.end)
  if (!isWhollyCut) return undefined
  const at = Math.max(...setPoints.map(({ nominal }) => nominal.end))
  const last = superseders.findLast((superseder) => superseder.at === at)
  return { at, by: last?.program === program ? 'sameProgram' : 'otherProgram' }
}

function stateOf(input: {
  control: DerControl
  effective: Span
  ended: Ended | undefined
  serverNow: number
}): EventState {
  const { effective, ended, serverNow } = input
  if (ended?.by === 'cancel') return 'cancelled'
  if (ended !== undefined && (ended.by === 'server' || ended.at <= serverNow)) return 'superseded'
  if (serverNow >= effective.end) return 'completed'
  return serverNow >= effective.start ? 'active' : 'scheduled'
}
