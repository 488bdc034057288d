import type { CommandAnswer } from './commandPort.ts'
import type { FlagCode } from './flags.ts'
import { GRID_UNSEEN, type GridState } from './gridMonitor.ts'
import type { Telemetry } from './telemetry.ts'
import type { ThermalLevel } from './thermal.ts'

// All times are of one monotonic clock, milliseconds.

export type GuardInput =
  | { readonly kind: 'TELEMETRY'; readonly telemetry: Telemetry }
  /** How much is wanted, W, until when; 0 or less: nothing. Replaces what was wanted before. */
  | { readonly kind: 'DEMAND'; readonly watts: number; readonly untilMs: number }
  /** Time passed. `lateMs`: how much later than `wakeAtMs` the caller's own timer ran. */
  | { readonly kind: 'TICK'; readonly lateMs?: number }
  /** Of the command with this id. Answers to older commands are ignored. */
  | { readonly kind: 'ANSWER'; readonly id: number; readonly answer: CommandAnswer }
  /** The source of telemetry is gone: stale at once. */
  | { readonly kind: 'LINK_LOST' }
  /** An operator lets a stopped EVSE begin again. Ignored while power still flows. */
  | { readonly kind: 'RESET' }

export const INPUT_KINDS = [
  'TELEMETRY',
  'DEMAND',
  'TICK',
  'ANSWER',
  'LINK_LOST',
  'RESET',
] as const satisfies readonly GuardInput['kind'][]

export type GuardCommand =
  /** Discharge at most so much; 0 pauses and leaves transaction and contactor as they are. */
  | { readonly kind: 'LIMIT'; readonly id: number; readonly watts: number; readonly why: ModeKind }
  /** End the transaction, which opens the contactor. */
  | { readonly kind: 'STOP'; readonly id: number; readonly reason: StopReason }

export type StopReason = Extract<FlagCode, 'COMMAND_NOT_OBEYED' | 'RATED_POWER_EXCEEDED'>

/**
 * IDLE nothing is wanted. WAITING something is, and the contactor's dwell is not over. RAMPING the limit rises. DISCHARGING all that is wanted.
 * THROTTLED less than is wanted (warm, cold, rated power). COOLING too hot. PAUSED_STALE telemetry too old. PAUSED_UNMEASURED no temperature, or no
 * voltage where it is required. PAUSED_COLD too cold, where that pauses. CEASED voltage at which nothing may be fed in. TRIPPED by voltage or frequency, until the grid is well again.
 * STOPPED the transaction was ended, for good reason.
 */
export const MODE_KINDS = [
  'IDLE',
  'WAITING',
  'RAMPING',
  'DISCHARGING',
  'THROTTLED',
  'COOLING',
  'PAUSED_STALE',
  'PAUSED_UNMEASURED',
  'PAUSED_COLD',
  'CEASED',
  'TRIPPED',
  'STOPPED',
] as const
export type ModeKind = (typeof MODE_KINDS)[number]

export interface StoppedMode {
  readonly kind: 'STOPPED'
  readonly sinceMs: number
  readonly reason: StopReason
  /** Of the last STOP. */
  readonly sentMs: number
  readonly answer: CommandAnswer | undefined
  /** Since when no power flows; undefined: it does, or nobody sees. */
  readonly quietSinceMs: number | undefined
  /** STOPs that did not help. */
  readonly failures: number
}

export type GuardMode = { readonly kind: Exclude<ModeKind, 'STOPPED'>; readonly sinceMs: number } | StoppedMode

export interface Reading {
  readonly value: number
  /** When it was measured. */
  readonly atMs: number
}

/** The limit that was sent last. */
export interface Limit {
  readonly watts: number
  /** Undefined: none yet, so nobody knows what the EVSE does. */
  readonly sentMs: number | undefined
  readonly answer: CommandAnswer | undefined
  /** Times that it was sent without being accepted. */
  readonly attempts: number
}

export interface GuardState {
  readonly mode: GuardMode
  /** Time of the last step. */
  readonly nowMs: number
  readonly demand: { readonly watts: number; readonly untilMs: number }
  readonly powerW: Reading | undefined
  readonly tempC: Reading | undefined
  readonly gridVoltageV: Reading | undefined
  readonly gridFrequencyHz: Reading | undefined
  readonly contactorClosed: boolean | undefined
  /** Since when power has come without a gap; undefined: it is too old. */
  readonly freshSinceMs: number | undefined
  readonly thermalLevel: ThermalLevel
  readonly isCold: boolean
  readonly isPlcDegraded: boolean
  readonly grid: GridState
  /** Until then power rises slowly, after a trip. */
  readonly softUntilMs: number
  readonly limit: Limit
  /** Id of the last command. */
  readonly commandId: number
  /** When the contactor switched, or may have; undefined: not that we know. */
  readonly switchedMs: number | undefined
  /** Metered power above the limit: since when, or since the limit was sent again because of it, and how often it was. */
  readonly excess: { readonly sinceMs: number; readonly repeats: number } | undefined
  readonly lateMs: number | undefined
  readonly flags: readonly FlagCode[]
}

/** What is known of an EVSE at first: nothing. */
export function initialGuardState(nowMs: number): GuardState {
  return {
    mode: { kind: 'IDLE', sinceMs: nowMs },
    nowMs,
    demand: { watts: 0, untilMs: Number.NEGATIVE_INFINITY },
    powerW: undefined,
    tempC: undefined,
    gridVoltageV: undefined,
    gridFrequencyHz: undefined,
    contactorClosed: undefined,
    freshSinceMs: undefined,
    thermalLevel: 0,
    isCold: false,
    isPlcDegraded: false,
    grid: GRID_UNSEEN,
    softUntilMs: Number.NEGATIVE_INFINITY,
    limit: { watts: 0, sentMs: undefined, answer: undefined, attempts: 0 },
    commandId: 0,
    switchedMs: undefined,
    excess: undefined,
    lateMs: undefined,
    flags: [],
  }
}
