import type { FlagCode } from './flags.ts'
import type { GuardRules } from './guardConfig.ts'
import type { GuardState } from './guardState.ts'
import { isGridUnmeasured, isTemperatureMissing, isTrusted, isVisible, needsRetry, wantedW } from './outlook.ts'
import { isTooHot } from './thermal.ts'

/** The flags of a state, in the order of FLAGS. `before`: those of the state before, for the ones that stay until they are seen to be over. */
export function activeFlags(rules: GuardRules, state: GuardState, before: readonly FlagCode[]): FlagCode[] {
  const { mode, thermalLevel, grid } = state
  // An EVSE of which nothing is wanted may be silent: that is no reason to call anybody.
  const isWanted = wantedW(rules, state) > 0 || state.limit.watts > 0
  const isHot = isTooHot(rules.thermal, thermalLevel)
  const active: Record<FlagCode, boolean> = {
    TELEMETRY_STALE: isWanted && !isTrusted(rules, state),
    THERMAL_LIMIT_REACHED: isHot,
    THERMAL_COOLING_OFF: thermalLevel > 0 && !isHot,
    TEMPERATURE_LOW: state.isCold,
    TEMPERATURE_MISSING: isWanted && isTemperatureMissing(rules, state),
    GRID_NOT_MEASURED: isWanted && isGridUnmeasured(rules, state),
    GRID_CEASED: grid.isCeased,
    GRID_TRIPPED: grid.tripped !== undefined,
    PLC_LINK_DEGRADED: state.isPlcDegraded,
    COMMAND_NOT_OBEYED: isDisobeyed(state, before.includes('COMMAND_NOT_OBEYED')),
    STOP_NOT_OBEYED: mode.kind === 'STOPPED' && mode.failures > 0 && mode.quietSinceMs === undefined,
    COMMAND_UNANSWERED: isWanted && needsRetry(state) && state.limit.attempts > 0,
    RATED_POWER_EXCEEDED: mode.kind === 'STOPPED' && mode.reason === 'RATED_POWER_EXCEEDED',
    GUARD_LATE: state.lateMs !== undefined && state.nowMs - state.lateMs < rules.lateClearMs,
  }
  const flags: FlagCode[] = []
  for (const code in active) if (active[code as FlagCode]) flags.push(code as FlagCode)
  return flags
}

/** Stays until a meter shows that the EVSE keeps to its limit. */
function isDisobeyed(state: GuardState, wasFlagged: boolean): boolean {
  const { mode, excess } = state
  if (mode.kind === 'STOPPED') return mode.reason === 'COMMAND_NOT_OBEYED'
  return (excess !== undefined && excess.repeats > 0) || (wasFlagged && !isVisible(state))
}
