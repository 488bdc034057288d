import {
  attributeInteger,
  booleanOf,
  child,
  childrenOf,
  csipAusChild,
  hexOf,
  href,
  integer,
  integerOf,
  required,
  requiredInteger,
  text,
  TIME_MAX,
  UINT32_MAX,
} from './fields.ts'
import type { ControlKind, Span } from '../model/gridEvent.ts'
import { invalid, type XmlElement } from './xml.ts'

// What is read of IEEE 2030.5 resources (schema version 2.1.0). Unknown elements are passed over: servers add what profiles define.

export interface FunctionSets {
  readonly time: string | undefined
  readonly programs: string | undefined
  readonly tariffs: string | undefined
}

export function functionSetsOf(element: XmlElement): FunctionSets {
  return {
    time: href(element, 'TimeLink'),
    programs: href(element, 'DERProgramListLink'),
    tariffs: href(element, 'TariffProfileListLink'),
  }
}

export interface EndDevice {
  /** Upper case. */
  readonly lfdi: string | undefined
  readonly sfdi: number
  readonly isEnabled: boolean
  readonly assignments: string | undefined
}

export function endDeviceOf(element: XmlElement): EndDevice {
  const lfdi = child(element, 'lFDI')
  const enabled = child(element, 'enabled')
  return {
    lfdi: lfdi === undefined ? undefined : hexOf(lfdi, 20),
    sfdi: requiredInteger(element, 'sFDI', 0, 687_194_767_359),
    isEnabled: enabled === undefined || booleanOf(enabled),
    assignments: href(element, 'FunctionSetAssignmentsListLink'),
  }
}

/** Of the server's clock, seconds since the epoch. */
export function currentTimeOf(element: XmlElement): number {
  requireName(element, 'Time')
  return requiredInteger(element, 'currentTime', 0, TIME_MAX)
}

export interface DerProgram {
  readonly mrid: string
  readonly description: string | undefined
  readonly primacy: number
  readonly controls: string | undefined
  readonly activeControls: string | undefined
  readonly defaultControl: string | undefined
}

export function derProgramOf(element: XmlElement): DerProgram {
  return {
    mrid: mridOf(element),
    description: text(element, 'description'),
    primacy: requiredInteger(element, 'primacy', 0, 255),
    controls: href(element, 'DERControlListLink'),
    activeControls: href(element, 'ActiveDERControlListLink'),
    defaultControl: href(element, 'DefaultDERControlLink'),
  }
}

export const EventStatus = { scheduled: 0, active: 1, cancelled: 2, cancelledRandomized: 3, superseded: 4 } as const

/** What DERControl and TimeTariffInterval have in common (RandomizableEvent). */
export interface SepEvent {
  readonly mrid: string
  readonly description: string | undefined
  readonly creationTime: number
  /** 0 … 4 by the standard; others are reserved. */
  readonly status: number
  /** When it got that status. */
  readonly statusTime: number
  readonly isPotentiallySuperseded: boolean
  readonly interval: Span
  /** Signed seconds within which start and duration are moved. */
  readonly randomizeStart: number
  readonly randomizeDuration: number
  readonly replyTo: string | undefined
  /** Bit 0: received; bit 1: what becomes of it. */
  readonly responseRequired: number
}

export function sepEventOf(element: XmlElement): SepEvent {
  const status = required(element, 'EventStatus')
  const interval = required(element, 'interval')
  const start = requiredInteger(interval, 'start', 0, TIME_MAX)
  const potentially = child(status, 'potentiallySuperseded')
  const response = element.attributes.get('responseRequired') ?? '00'
  return {
    mrid: mridOf(element),
    description: text(element, 'description'),
    creationTime: requiredInteger(element, 'creationTime', 0, TIME_MAX),
    status: requiredInteger(status, 'currentStatus', 0, 255),
    statusTime: requiredInteger(status, 'dateTime', 0, TIME_MAX),
    isPotentiallySuperseded: potentially !== undefined && booleanOf(potentially),
    interval: { start, end: start + requiredInteger(interval, 'duration', 0, UINT32_MAX) },
    randomizeStart: integer(element, 'randomizeStart', -3_600, 3_600) ?? 0,
    randomizeDuration: integer(element, 'randomizeDuration', -3_600, 3_600) ?? 0,
    replyTo: element.attributes.get('replyTo'),
    responseRequired: /^[0-9a-fA-F]{1,2}$/.test(response) ? Number.parseInt(response, 16) : 0,
  }
}

export type SetPoint = readonly [kind: Exclude<ControlKind, 'gate'>, value: number]

export interface DerControl extends SepEvent {
  readonly setPoints: readonly SetPoint[]
  /** Bitmap of the kinds of device that it is meant for; undefined: all. */
  readonly deviceCategory: number | undefined
}

export function derControlOf(element: XmlElement): DerControl {
  const category = child(element, 'deviceCategory')
  return {
    ...sepEventOf(element),
    setPoints: setPointsOf(required(element, 'DERControlBase')),
    deviceCategory: category === undefined ? undefined : Number.parseInt(hexOf(category, 4) || '0', 16),
  }
}

export function defaultControlOf(element: XmlElement): { mrid: string; setPoints: readonly SetPoint[] } {
  requireName(element, 'DefaultDERControl')
  return { mrid: mridOf(element), setPoints: setPointsOf(required(element, 'DERControlBase')) }
}

/**
 * The set-points that mean something to a discharging vehicle. Export and generation limits in watts are no part of the standard of 2018; they
 * come by the Australian profile's extension. Reactive power, curves and import limits are for the inverter and for charging.
 */
export function setPointsOf(base: XmlElement): SetPoint[] {
  const found: SetPoint[] = []
  const power = (kind: 'targetW' | 'exportLimitW' | 'generationLimitW', element: XmlElement | undefined): void => {
    if (element !== undefined) found.push([kind, activePowerOf(element)])
  }
  power('targetW', child(base, 'opModTargetW'))
  const fixed = integer(base, 'opModFixedW', -10_000, 10_000)
  if (fixed !== undefined) found.push(['targetBps', fixed])
  const max = integer(base, 'opModMaxLimW', 0, 10_000)
  if (max !== undefined) found.push(['maxBps', max])
  for (const [name, kind] of [
    ['opModConnect', 'connect'],
    ['opModEnergize', 'energize'],
  ] as const) {
    const flag = child(base, name)
    if (flag !== undefined) found.push([kind, booleanOf(flag) ? 1 : 0])
  }
  power('exportLimitW', csipAusChild(base, 'opModExpLimW'))
  power('generationLimitW', csipAusChild(base, 'opModGenLimW'))
  return found
}

/** `value` × 10^`multiplier`, whole watts towards zero. */
function activePowerOf(element: XmlElement): number {
  const part = (name: string): XmlElement => {
    const found = element.children.find((inner) => inner.name === name)
    if (found === undefined) throw invalid(`${element.name} has no ${name}`)
    return found
  }
  const value = integerOf(part('value'), -32_768, 32_767)
  return Math.trunc(value * 10 ** integerOf(part('multiplier'), -9, 9))
}

export function mridOf(element: XmlElement): string {
  return hexOf(required(element, 'mRID'), 16)
}

export interface ListPage {
  readonly all: number
  readonly results: number
  readonly pollRate: number | undefined
  readonly entries: readonly XmlElement[]
}

/** @throws BackfeedError GRID_MESSAGE_INVALID when it is no list of `entry`. */
export function listPageOf(element: XmlElement, entry: string): ListPage {
  const given = element.attributes.get('xsi:type') ?? element.name
  if (given !== `${entry}List`) throw invalid(`${given} instead of ${entry}List`)
  const all = attributeInteger(element, 'all', 0, UINT32_MAX)
  const results = attributeInteger(element, 'results', 0, UINT32_MAX)
  if (all === undefined || results === undefined) throw invalid(`${entry}List has no all or results`)
  return { all, results, pollRate: pollRateOf(element), entries: childrenOf(element, entry) }
}

/** Seconds. */
export function pollRateOf(element: XmlElement): number | undefined {
  return attributeInteger(element, 'pollRate', 0, UINT32_MAX)
}

export function requireName(element: XmlElement, name: string): void {
  if (element.name !== name) throw invalid(`${element.name} instead of ${name}`)
}
