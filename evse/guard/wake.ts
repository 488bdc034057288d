import { gridWakeMs } from './gridMonitor.ts'
import type { GuardRules } from './guardConfig.ts'
import type { GuardState, StoppedMode } from './guardState.ts'
import { capW, excessDueMs, isTrusted, isVisible, needsRetry, rampBaseMs, retryAtMs, wantedW } from './outlook.ts'

/** The next moment at which time alone changes something. Ages are compared by "older than", so they are over a millisecond later. */
export function wakeAtMs(rules: GuardRules, state: GuardState): number {
  const { nowMs, powerW, tempC, mode, limit } = state
  let wake = Number.POSITIVE_INFINITY
  const at = (ms: number): void => {
    if (ms > nowMs && ms < wake) wake = ms
  }
  if (wantedW(rules, state) > 0) at(state.demand.untilMs)
  if (isVisible(state) && powerW !== undefined) at(powerW.atMs + rules.telemetry.staleMs + 1)
  if (state.freshSinceMs !== undefined && !isTrusted(rules, state))
    at(state.freshSinceMs + rules.telemetry.resumeAfterMs)
  if (tempC !== undefined) at(tempC.atMs + rules.thermal.maxAgeMs + 1)
  for (const reading of [state.gridVoltageV, state.gridFrequencyHz]) {
    if (reading !== undefined) at(reading.atMs + rules.grid.maxAgeMs + 1)
  }
  at(gridWakeMs(rules, state.grid))
  if (state.lateMs !== undefined) at(state.lateMs + rules.lateClearMs)

  if (mode.kind === 'STOPPED') {
    at(stopWakeMs(rules, state, mode))
    return wake
  }
  if (mode.kind === 'WAITING' && state.switchedMs !== undefined) at(state.switchedMs + rules.contactorDwellMs)
  if (mode.kind === 'RAMPING') at(rampBaseMs(state) + rules.rampStepMs)
  if (limit.watts > capW(rules, state) && limit.sentMs !== undefined) at(limit.sentMs + rules.rampStepMs)
  if (state.excess !== undefined && isVisible(state)) at(excessDueMs(rules, state.excess))
  if (needsRetry(state)) at(retryAtMs(rules, state))
  return wake
}

function stopWakeMs(rules: GuardRules, state: GuardState, mode: StoppedMode): number {
  if (mode.quietSinceMs !== undefined) {
    return rules.stopLockoutMs > 0 ? mode.sinceMs + rules.stopLockoutMs : Number.POSITIVE_INFINITY
  }
  return isVisible(state) || mode.answer !== 'ACCEPTED'
    ? mode.sentMs + rules.obey.stopWithinMs
    : Number.POSITIVE_INFINITY
}
