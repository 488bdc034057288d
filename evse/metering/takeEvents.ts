import type { CutRules } from './config.ts'
import { Cutter } from './cutter.ts'
import type { Draft } from './draft.ts'
import { type HeldBecause, inOrder, nextEvent } from './eventOrder.ts'
import { flag, foldEvent } from './foldEvent.ts'
import type { MeterEvent } from './meterEvent.ts'
import type { MeterState } from './meterState.ts'

/** Messages of one EVSE that wait for another: two hours of one a second. With more, the missing one is given up. */
export const MAX_HELD_EVENTS = 7_200

export interface Taken {
  readonly state: MeterState
  /** In the order in which they are to be signed. */
  readonly drafts: readonly Draft[]
  /** Messages that wait, in order. */
  readonly held: readonly MeterEvent[]
  readonly heldBecause: HeldBecause | undefined
}

/**
 * Takes messages as far as their turn has come. Pure: the same state and messages give the same drafts, so a crash before they were
 * durable changes nothing. `mayGiveUp`: whether this message has waited long enough
 * for what is missing before it.
 */
export function takeEvents(
  before: { readonly state: MeterState; readonly held: readonly MeterEvent[] },
  events: readonly MeterEvent[],
  rules: CutRules,
  mayGiveUp: (waiting: MeterEvent) => boolean = () => false,
): Taken {
  const cutter = new Cutter(before.state, rules)
  const held = events.length === 0 ? [...before.held] : [...before.held, ...events].sort(inOrder)
  for (;;) {
    const next = nextEvent(held, cutter.state, rules)
    if (next === undefined) return { state: cutter.state, drafts: cutter.drafts, held, heldBecause: undefined }
    if (next.waitsFor !== undefined && !mayGiveUp(next.event) && held.length <= MAX_HELD_EVENTS) {
      return { state: cutter.state, drafts: cutter.drafts, held, heldBecause: next.waitsFor }
    }
    if (next.waitsFor !== undefined) flag(cutter.state, next.waitsFor, GIVEN_UP[next.waitsFor], next.event.atMs)
    held.splice(held.indexOf(next.event), 1)
    foldEvent(cutter, next.event, rules)
  }
}

const GIVEN_UP: Readonly<Record<HeldBecause, string>> = {
  SEQUENCE_GAP: 'messages of the transaction never came; the register makes up for them',
  END_MISSING: 'the transaction’s end never came, and the next one has begun',
  TRANSACTION_MISSING: 'the register rose in no transaction that is known; that energy is put aside',
}
