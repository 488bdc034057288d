import type { ModeKind } from './guardState.ts'

/** What the guard sees in one step, the gravest first; the first that holds decides. */
export const CONDITIONS = [
  /** The transaction must be ended, or has been and power has not been reset. */
  'STOP',
  'TRIP',
  'CEASE',
  'HOT',
  'NO_DEMAND',
  'STALE',
  'UNMEASURED',
  /** Too cold, where the configuration asks for a pause. */
  'COLD',
  'DWELL',
  /** The limit is under what may be given. */
  'BELOW',
  /** The limit is what may be given, and that is less than what is wanted. */
  'LIMITED',
  /** The limit is what is wanted. */
  'FULL',
] as const
export type Condition = (typeof CONDITIONS)[number]

/** Conditions under which the limit is 0. */
export const ZERO_CONDITIONS: readonly Condition[] = [
  'STOP',
  'TRIP',
  'CEASE',
  'HOT',
  'NO_DEMAND',
  'STALE',
  'UNMEASURED',
  'COLD',
  'DWELL',
]

type Row = Readonly<Record<Condition, ModeKind>>

const BLOCKED = {
  STOP: 'STOPPED',
  TRIP: 'TRIPPED',
  CEASE: 'CEASED',
  HOT: 'COOLING',
  NO_DEMAND: 'IDLE',
  STALE: 'PAUSED_STALE',
  UNMEASURED: 'PAUSED_UNMEASURED',
  COLD: 'PAUSED_COLD',
  DWELL: 'WAITING',
} as const

/** From where power already flows, it may flow on. */
const FLOWING: Row = { ...BLOCKED, BELOW: 'RAMPING', LIMITED: 'THROTTLED', FULL: 'DISCHARGING' }
/** From where nothing flows, every way leads over the ramp. */
const RESTING: Row = { ...BLOCKED, BELOW: 'RAMPING', LIMITED: 'RAMPING', FULL: 'RAMPING' }
/** Every mode under every condition. */
export const NEXT_MODE: Readonly<Record<ModeKind, Row>> = {
  IDLE: RESTING,
  WAITING: RESTING,
  RAMPING: FLOWING,
  DISCHARGING: FLOWING,
  THROTTLED: FLOWING,
  COOLING: RESTING,
  PAUSED_STALE: RESTING,
  PAUSED_UNMEASURED: RESTING,
  PAUSED_COLD: RESTING,
  CEASED: RESTING,
  TRIPPED: RESTING,
  STOPPED: RESTING,
}
