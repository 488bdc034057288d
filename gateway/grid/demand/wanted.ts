import type { ControlKind, GridEvent } from '../model/gridEvent.ts'

/** What events ask for at one moment. Undefined: nothing said. */
export interface Wanted {
  readonly targetW: number | undefined
  readonly targetBps: number | undefined
  /** Level of stress; 0: none. */
  readonly gate: number
  /** The tightest of export and generation limits. */
  readonly limitW: number | undefined
  readonly limitBps: number | undefined
  /** An order to disconnect or to stop feeding. */
  readonly isSeparated: boolean
  /** Ids of the events that say so, for logs. */
  readonly events: readonly string[]
  /** Until when nothing of this changes, seconds; infinity: no event is known. */
  readonly untilSeconds: number
}

/** Of several events that set the same, the one with the lowest primacy counts. Pure. */
export function wantedAt(events: readonly GridEvent[], nowSeconds: number): Wanted {
  const strongest = new Map<ControlKind, { value: number; primacy: number; id: string }>()
  let untilSeconds = Number.POSITIVE_INFINITY
  for (const event of events) {
    for (const { kind, value, effective } of event.controls) {
      if (effective.end <= effective.start) continue
      for (const edge of [effective.start, effective.end])
        if (edge > nowSeconds) untilSeconds = Math.min(untilSeconds, edge)
      if (nowSeconds < effective.start || nowSeconds >= effective.end) continue
      const known = strongest.get(kind)
      if (known === undefined || event.primacy < known.primacy) {
        strongest.set(kind, { value, primacy: event.primacy, id: event.id })
      }
    }
  }
  const setTo = (kind: ControlKind): number | undefined => strongest.get(kind)?.value
  return {
    targetW: setTo('targetW'),
    targetBps: setTo('targetBps'),
    gate: setTo('gate') ?? 0,
    limitW: least(setTo('exportLimitW'), setTo('generationLimitW')),
    limitBps: setTo('maxBps'),
    isSeparated: setTo('connect') === 0 || setTo('energize') === 0,
    events: [...new Set([...strongest.values()].map(({ id }) => id))].sort(),
    untilSeconds,
  }
}

export interface RatedEvse {
  readonly name: string
  readonly ratedW: number
}

export interface Share {
  readonly evse: string
  /** Undefined: the events ask this EVSE for nothing. */
  readonly watts: number | undefined
}

/**
 * Whole watts of each EVSE, rounded down, never above its rated power nor below 0: a demand to charge is not ours to follow.
 * `isLimitOpen`: a limit binds, and there is no target to bring down to it.
 */
export function sharesOf(
  wanted: Wanted,
  evses: readonly RatedEvse[],
  rule: { watts: 'split' | 'each'; stressBps: number },
): { shares: Share[]; isLimitOpen: boolean } {
  const ratedW = evses.reduce((sum, evse) => sum + evse.ratedW, 0)
  const partOf = (watts: number, evse: RatedEvse): number =>
    rule.watts === 'each' || ratedW === 0 ? watts : (watts * evse.ratedW) / ratedW
  let isLimitOpen = false
  const shares = evses.map((evse): Share => {
    const asked = least(
      wanted.targetW === undefined ? undefined : partOf(wanted.targetW, evse),
      wanted.targetBps === undefined ? undefined : (evse.ratedW * wanted.targetBps) / 10_000,
    )
    const target =
      asked ?? (wanted.gate > 0 && rule.stressBps > 0 ? (evse.ratedW * rule.stressBps) / 10_000 : undefined)
    const limit = least(
      wanted.limitW === undefined ? undefined : partOf(wanted.limitW, evse),
      wanted.limitBps === undefined ? undefined : (evse.ratedW * wanted.limitBps) / 10_000,
    )
    if (wanted.isSeparated || limit === 0) return { evse: evse.name, watts: 0 }
    if (target === undefined) {
      isLimitOpen ||= limit !== undefined && limit < evse.ratedW
      return { evse: evse.name, watts: undefined }
    }
    const watts = Math.floor(Math.min(target, limit ?? target, evse.ratedW))
    return { evse: evse.name, watts: Math.max(0, watts) }
  })
  return { shares, isLimitOpen }
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}
