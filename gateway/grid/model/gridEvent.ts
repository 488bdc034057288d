import type { AttoPerWh } from './price.ts'

/** Seconds since the epoch, UTC; the end is not part of it. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface PriceInterval extends Span {
  readonly attoPerWh: AttoPerWh
  /** Whether being priced by it makes a period one of a grid event (`pricing = "event-only"`). */
  readonly opensGate: boolean
}

/**
 * What an event asks for, one kind of set-point each. Positive power flows to the grid.
 *
 * - `targetW`: export this much. `targetBps`: the same in hundredths of a percent of what the device can.
 * - `exportLimitW`, `generationLimitW`: no more than this. `maxBps`: the same in hundredths of a percent.
 * - `connect`, `energize`: 0 orders a separation.
 * - `gate`: only says that the grid is under stress (OpenADR SIMPLE and alerts); 1.
 */
export const CONTROL_KINDS = [
  'targetW',
  'targetBps',
  'exportLimitW',
  'generationLimitW',
  'maxBps',
  'connect',
  'energize',
  'gate',
] as const
export type ControlKind = (typeof CONTROL_KINDS)[number]

export interface Control {
  readonly kind: ControlKind
  readonly value: number
  /** When it applies to prices: as announced, cut short where it was cancelled or superseded. Empty (start = end): not at all. */
  readonly nominal: Span
  /** When devices follow it: the same after randomisation and by this machine's clock. */
  readonly effective: Span
}

export const EVENT_STATES = ['scheduled', 'active', 'completed', 'cancelled', 'superseded'] as const
export type EventState = (typeof EVENT_STATES)[number]

/** One event of the utility, whatever protocol it came by. */
export interface GridEvent {
  /** Name of the source in the configuration. */
  readonly source: string
  /** Unique within the source. */
  readonly id: string
  readonly description: string | undefined
  readonly state: EventState
  /** Lower is stronger. */
  readonly primacy: number
  readonly controls: readonly Control[]
}

/** All that a source knows. Times that are over may be missing. */
export interface GridPicture {
  /** False until the source has answered once: then nothing is known, as opposed to "no events". */
  readonly isKnown: boolean
  readonly events: readonly GridEvent[]
  /** Not overlapping, in order of time. */
  readonly prices: readonly PriceInterval[]
}

export const NOTHING_KNOWN: GridPicture = { isKnown: false, events: [], prices: [] }

/** Whether the control asks for energy into the grid, so that a discharge under it is what the event wanted. */
export function asksForDischarge(control: Control): boolean {
  switch (control.kind) {
    case 'targetW':
    case 'targetBps':
    case 'gate':
      return control.value > 0
    case 'exportLimitW':
    case 'generationLimitW':
    case 'maxBps':
    case 'connect':
    case 'energize':
      return false
    default:
      return control.kind satisfies never
  }
}

export function isEmpty(span: Span): boolean {
  return span.end <= span.start
}

export function overlaps(a: Span, b: Span): boolean {
  return a.start < b.end && b.start < a.end && !isEmpty(a) && !isEmpty(b)
}
