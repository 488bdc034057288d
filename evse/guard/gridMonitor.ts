import type { GuardRules } from './guardConfig.ts'
import { ENTER_SERVICE, isBeyond, isVoltage, TRIP_FUNCTIONS, type TripFunction, voltageRegion } from './rideThrough.ts'

/** Readings as shares of nominal; undefined: not measured (lately). */
export interface GridReading {
  readonly voltage: number | undefined
  readonly frequency: number | undefined
}

export interface GridState {
  /** Since when each limit has been exceeded without a break. */
  readonly beyondSinceMs: Readonly<Partial<Record<TripFunction, number>>>
  /** Voltage at which nothing may be fed in as long as it lasts. */
  readonly isCeased: boolean
  readonly tripped: TripFunction | undefined
  /** Since when all that is measured has been inside the enter-service limits. */
  readonly goodSinceMs: number | undefined
}

export const GRID_UNSEEN: GridState = { beyondSinceMs: {}, isCeased: false, tripped: undefined, goodSinceMs: undefined }

/** Takes a new reading of voltage, frequency or both. `atMs`: when it was measured. */
export function observeGrid(rules: GuardRules, grid: GridState, reading: GridReading, atMs: number): GridState {
  if (reading.voltage === undefined && reading.frequency === undefined) return grid
  const beyondSinceMs: Partial<Record<TripFunction, number>> = {}
  for (const name of TRIP_FUNCTIONS) {
    const share = isVoltage(name) ? reading.voltage : reading.frequency
    const before = grid.beyondSinceMs[name]
    // What this source does not measure keeps its timer: silence is no sign that the grid is well again.
    if (share === undefined) {
      if (before !== undefined) beyondSinceMs[name] = before
    } else if (isBeyond(name, rules.trips[name], share)) beyondSinceMs[name] = before ?? atMs
  }
  const isCeased =
    reading.voltage === undefined ? grid.isCeased : voltageRegion(rules.grid.category, reading.voltage) === 'CEASE'
  return { ...grid, beyondSinceMs, isCeased }
}

/** Takes the time: trips what is due, and lets a tripped EVSE back when the grid has been well for long enough. `now` holds fresh readings only. */
export function superviseGrid(
  rules: GuardRules,
  grid: GridState,
  now: GridReading & { ms: number; isFresh: boolean },
): GridState {
  const due = TRIP_FUNCTIONS.find((name) => {
    const since = grid.beyondSinceMs[name]
    return since !== undefined && now.ms - since >= rules.trips[name].clearingMs
  })
  const goodSinceMs = now.isFresh && isInEnterService(now) ? (grid.goodSinceMs ?? now.ms) : undefined
  const isBack = goodSinceMs !== undefined && now.ms - goodSinceMs >= rules.grid.enterServiceMs
  const tripped = due ?? (isBack ? undefined : grid.tripped)
  if (tripped === grid.tripped && goodSinceMs === grid.goodSinceMs) return grid
  return { ...grid, tripped, goodSinceMs }
}

/** When time alone changes something next, ms; Infinity: never. */
export function gridWakeMs(rules: GuardRules, grid: GridState): number {
  let wake = Number.POSITIVE_INFINITY
  if (grid.tripped === undefined) {
    for (const name of TRIP_FUNCTIONS) {
      const since = grid.beyondSinceMs[name]
      if (since !== undefined) wake = Math.min(wake, since + rules.trips[name].clearingMs)
    }
  } else if (grid.goodSinceMs !== undefined) wake = grid.goodSinceMs + rules.grid.enterServiceMs
  return wake
}

function isInEnterService(reading: GridReading): boolean {
  const { voltage, frequency } = reading
  const { minVoltage, maxVoltage, minFrequency, maxFrequency } = ENTER_SERVICE
  if (voltage === undefined && frequency === undefined) return false
  return (
    (voltage === undefined || (voltage >= minVoltage && voltage <= maxVoltage)) &&
    (frequency === undefined || (frequency >= minFrequency && frequency <= maxFrequency))
  )
}
