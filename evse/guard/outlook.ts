import type { GuardRules } from './guardConfig.ts'
import type { GuardState, Reading } from './guardState.ts'
import { isTooHot, thermalShare } from './thermal.ts'
import type { Condition } from './transitions.ts'

// What a state means at its own time: questions without side effects, which step and wake ask alike.

/** Whether the meter can be seen: power has come lately. */
export function isVisible(state: GuardState): boolean {
  return state.freshSinceMs !== undefined
}

export function isPowerOld(rules: GuardRules, state: GuardState): boolean {
  return isOlder(state.powerW, state.nowMs, rules.telemetry.staleMs)
}

/** Visible, and for so long that discharge may go on. */
export function isTrusted(rules: GuardRules, state: GuardState): boolean {
  return state.freshSinceMs !== undefined && state.nowMs - state.freshSinceMs >= rules.telemetry.resumeAfterMs
}

export function isTemperatureMissing(rules: GuardRules, state: GuardState): boolean {
  return rules.thermal.missing === 'pause' && isOlder(state.tempC, state.nowMs, rules.thermal.maxAgeMs)
}

export function isGridUnmeasured(rules: GuardRules, state: GuardState): boolean {
  const { maxAgeMs, required } = rules.grid
  if (!required) return false
  return isOlder(state.gridVoltageV, state.nowMs, maxAgeMs) || isOlder(state.gridFrequencyHz, state.nowMs, maxAgeMs)
}

/** What was ever measured of the grid is measured now. */
export function isGridFresh(rules: GuardRules, state: GuardState): boolean {
  if (!isVisible(state)) return false
  return [state.gridVoltageV, state.gridFrequencyHz].every(
    (reading) => reading === undefined || !isOlder(reading, state.nowMs, rules.grid.maxAgeMs),
  )
}

/** What is wanted now, whole watts, never more than is rated. */
export function wantedW(rules: GuardRules, state: GuardState): number {
  const { watts, untilMs } = state.demand
  if (state.nowMs >= untilMs || !(watts > 0)) return 0
  return Math.floor(Math.min(watts, rules.ratedW))
}

/** The most that temperatures allow, whole watts. */
export function safeW(rules: GuardRules, state: GuardState): number {
  const { thermal } = rules
  const cold = state.isCold ? (thermal.cold === 'pause' ? 0 : thermal.cold === 'derate' ? thermal.coldShare : 1) : 1
  return Math.floor(rules.ratedW * Math.min(thermalShare(thermal, state.thermalLevel), cold))
}

export function capW(rules: GuardRules, state: GuardState): number {
  return Math.min(wantedW(rules, state), safeW(rules, state))
}

/** Metered power above this is more than the limit allows. */
export function obeyedW(rules: GuardRules, limitW: number): number {
  return limitW + Math.max(rules.obey.toleranceW, limitW * rules.obey.toleranceShare)
}

export function isExceeding(rules: GuardRules, state: GuardState): boolean {
  return isVisible(state) && state.powerW !== undefined && state.powerW.value > obeyedW(rules, state.limit.watts)
}

export function isOverRated(rules: GuardRules, state: GuardState): boolean {
  return (
    isVisible(state) && state.powerW !== undefined && state.powerW.value > rules.ratedW * (1 + rules.ratedTolerance)
  )
}

/** Whether a start would come before the contactor's dwell is over. A contactor that is closed does not switch. */
export function isDwelling(rules: GuardRules, state: GuardState): boolean {
  if (state.limit.watts > 0 || state.contactorClosed === true || state.switchedMs === undefined) return false
  return state.nowMs - state.switchedMs < rules.contactorDwellMs
}

/** Whether a limit must be sent again because nobody took it. At a limit of 0 that a meter shows to be kept there is no need. */
export function needsRetry(state: GuardState): boolean {
  const { limit, mode } = state
  if (mode.kind === 'STOPPED' || limit.sentMs === undefined || limit.answer === 'ACCEPTED') return false
  return limit.watts > 0 || !isVisible(state)
}

const MAX_RETRY_MS = 60_000

export function retryAtMs(rules: GuardRules, state: GuardState): number {
  const { attempts, sentMs } = state.limit
  const delay = Math.min(rules.obey.retryMs * 2 ** Math.min(Math.max(attempts - 1, 0), 16), MAX_RETRY_MS)
  return (sentMs ?? state.nowMs) + delay
}

/** When an excess is answered by the next repeat, or by the stop. */
export function excessDueMs(rules: GuardRules, excess: NonNullable<GuardState['excess']>): number {
  return excess.sinceMs + rules.obey.withinMs
}

/** From when the ramp counts its next step. */
export function rampBaseMs(state: GuardState): number {
  return Math.max(state.limit.sentMs ?? state.mode.sinceMs, state.mode.sinceMs)
}

/** The gravest condition that holds. */
export function conditionOf(rules: GuardRules, state: GuardState, mustStop: boolean): Condition {
  if (mustStop) return 'STOP'
  if (state.grid.tripped !== undefined) return 'TRIP'
  if (state.grid.isCeased) return 'CEASE'
  if (isTooHot(rules.thermal, state.thermalLevel)) return 'HOT'
  const wanted = wantedW(rules, state)
  if (wanted === 0) return 'NO_DEMAND'
  if (!isTrusted(rules, state)) return 'STALE'
  if (isTemperatureMissing(rules, state) || isGridUnmeasured(rules, state)) return 'UNMEASURED'
  const cap = capW(rules, state)
  if (cap === 0) return 'COLD'
  if (isDwelling(rules, state)) return 'DWELL'
  if (state.limit.watts < cap) return 'BELOW'
  return cap < wanted || state.demand.watts > rules.ratedW ? 'LIMITED' : 'FULL'
}

function isOlder(reading: Reading | undefined, nowMs: number, maxAgeMs: number): boolean {
  return reading === undefined || nowMs - reading.atMs > maxAgeMs
}
