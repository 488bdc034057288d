import { absorb, type Draft } from './absorb.ts'
import { activeFlags } from './activeFlags.ts'
import type { FlagCode } from './flags.ts'
import { superviseGrid } from './gridMonitor.ts'
import type { GuardRules } from './guardConfig.ts'
import type { GuardCommand, GuardInput, GuardState, StopReason, StoppedMode } from './guardState.ts'
import {
  capW,
  conditionOf,
  excessDueMs,
  isExceeding,
  isGridFresh,
  isOverRated,
  isPowerOld,
  isTrusted,
  isVisible,
  needsRetry,
  obeyedW,
  rampBaseMs,
  retryAtMs,
  safeW,
} from './outlook.ts'
import { type Condition, NEXT_MODE, ZERO_CONDITIONS } from './transitions.ts'
import { wakeAtMs } from './wake.ts'

export interface GuardStep {
  readonly state: GuardState
  /** To be carried out in this order; a newer command makes older ones void. */
  readonly commands: readonly GuardCommand[]
  /** Flags that came up. STOP_NOT_OBEYED comes up again with every stop that did not help. */
  readonly raised: readonly FlagCode[]
  readonly cleared: readonly FlagCode[]
  /** Without another input nothing changes before this; then the guard wants a TICK. Infinity: never. */
  readonly wakeAtMs: number
}

/**
 * One step of an EVSE's fail-safe: takes an input at a time of the monotonic clock, and says what to command. The same inputs always give the
 * same steps. Time does not run backwards: an earlier `nowMs` counts as the one before.
 */
export function step(rules: GuardRules, before: GuardState, input: GuardInput, nowMs: number): GuardStep {
  const draft: Draft = { ...before, nowMs: Math.max(nowMs, before.nowMs) }
  const commands: GuardCommand[] = []
  if (isPowerOld(rules, draft)) draft.freshSinceMs = undefined
  absorb(rules, draft, input)
  if (!isPowerOld(rules, draft)) draft.freshSinceMs ??= draft.nowMs
  superviseTheGrid(rules, draft)
  watchExcess(rules, draft)

  const reason = stopReason(rules, draft)
  const isReleased = draft.mode.kind === 'STOPPED' && superviseStop(rules, draft, draft.mode, input, commands)
  const mustStop = reason !== undefined || (draft.mode.kind === 'STOPPED' && !isReleased)
  const condition = conditionOf(rules, draft, mustStop)
  enterMode(rules, draft, condition, reason, commands)
  if (draft.mode.kind !== 'STOPPED') {
    commandLimit(rules, draft, condition, commands)
    watchExcess(rules, draft)
  }

  const flags = activeFlags(rules, draft, before.flags)
  draft.flags = sameFlags(flags, before.flags) ? before.flags : flags
  const raised = flags.filter((flag) => !before.flags.includes(flag))
  // Again and again until somebody comes: the one alarm that must not be overlooked.
  if (stopFailures(draft) > stopFailures(before) && !raised.includes('STOP_NOT_OBEYED')) raised.push('STOP_NOT_OBEYED')
  const cleared = before.flags.filter((flag) => !flags.includes(flag))
  return { state: draft, commands, raised, cleared, wakeAtMs: wakeAtMs(rules, draft) }
}

function superviseTheGrid(rules: GuardRules, draft: Draft): void {
  const { gridVoltageV, gridFrequencyHz, nowMs } = draft
  draft.grid = superviseGrid(rules, draft.grid, {
    ms: nowMs,
    isFresh: isGridFresh(rules, draft),
    voltage: gridVoltageV && gridVoltageV.value / rules.grid.nominalV,
    frequency: gridFrequencyHz && gridFrequencyHz.value / rules.grid.nominalHz,
  })
}

/** Keeps since when more than the limit is metered. While nobody sees the meter the clock runs on, and only a look at it decides. */
function watchExcess(rules: GuardRules, draft: Draft): void {
  if (draft.mode.kind === 'STOPPED') draft.excess = undefined
  else if (isExceeding(rules, draft)) draft.excess ??= { sinceMs: draft.nowMs, repeats: 0 }
  else if (isVisible(draft)) draft.excess = undefined
}

function stopReason(rules: GuardRules, draft: Draft): StopReason | undefined {
  if (draft.mode.kind === 'STOPPED') return undefined
  if (isOverRated(rules, draft)) return 'RATED_POWER_EXCEEDED'
  const { excess } = draft
  if (excess === undefined || !isVisible(draft) || excess.repeats < rules.obey.repeats) return undefined
  return draft.nowMs >= excessDueMs(rules, excess) ? 'COMMAND_NOT_OBEYED' : undefined
}

/** Looks whether a stop helped, and sends it again if not. Returns whether the EVSE may begin again. */
function superviseStop(
  rules: GuardRules,
  draft: Draft,
  mode: StoppedMode,
  input: GuardInput,
  commands: GuardCommand[],
): boolean {
  const { nowMs } = draft
  const isFlowing = isVisible(draft) && (draft.powerW?.value ?? 0) > obeyedW(rules, 0)
  const quietSinceMs = isFlowing || !isVisible(draft) ? undefined : (mode.quietSinceMs ?? nowMs)
  draft.mode = { ...mode, quietSinceMs }
  // Unseen and accepted is no reason to shout; unseen and not accepted is.
  const isInDoubt = isFlowing || (!isVisible(draft) && mode.answer !== 'ACCEPTED')
  if (isInDoubt && nowMs - mode.sentMs >= rules.obey.stopWithinMs) {
    draft.mode = { ...draft.mode, sentMs: nowMs, answer: undefined, failures: mode.failures + 1 }
    draft.commandId += 1
    commands.push({ kind: 'STOP', id: draft.commandId, reason: mode.reason })
    // The one before may have been lost, and this one opens the contactor.
    if (draft.contactorClosed === undefined) draft.switchedMs = nowMs
  }
  if (quietSinceMs === undefined || !isTrusted(rules, draft)) return false
  const isOver = rules.stopLockoutMs > 0 && nowMs - mode.sinceMs >= rules.stopLockoutMs
  return input.kind === 'RESET' || isOver
}

function enterMode(
  rules: GuardRules,
  draft: Draft,
  condition: Condition,
  reason: StopReason | undefined,
  commands: GuardCommand[],
): void {
  const { mode, nowMs } = draft
  const kind = NEXT_MODE[mode.kind][condition]
  if (kind === mode.kind) return
  if (mode.kind === 'TRIPPED') draft.softUntilMs = nowMs + rules.grid.enterServiceRampMs
  if (kind !== 'STOPPED') {
    draft.mode = { kind, sinceMs: nowMs }
    return
  }
  if (reason === undefined) throw new Error('a stop without a reason')
  draft.commandId += 1
  commands.push({ kind: 'STOP', id: draft.commandId, reason })
  draft.mode = { kind, sinceMs: nowMs, reason, sentMs: nowMs, answer: undefined, quietSinceMs: undefined, failures: 0 }
  draft.limit = { watts: 0, sentMs: nowMs, answer: undefined, attempts: 0 }
  draft.excess = undefined
  draft.switchedMs = nowMs
}

function commandLimit(rules: GuardRules, draft: Draft, condition: Condition, commands: GuardCommand[]): void {
  const { limit, nowMs, excess } = draft
  const watts = nextLimitW(rules, draft, condition)
  const isRepeat = excess !== undefined && isVisible(draft) && nowMs >= excessDueMs(rules, excess)
  const isRetry = needsRetry(draft) && nowMs >= retryAtMs(rules, draft)
  const isChange = watts !== limit.watts
  if (!isChange && !isRepeat && !isRetry && limit.sentMs !== undefined) return
  // Each repeat has the whole time to be obeyed, also when the meter could not be seen for long before it.
  if (isRepeat) draft.excess = { sinceMs: nowMs, repeats: excess.repeats + 1 }
  const isSwitch = watts > 0 !== limit.watts > 0
  if (isSwitch && draft.contactorClosed === undefined && rules.pauseOpensContactor) draft.switchedMs = nowMs
  const attempts = isRetry && limit.answer === undefined ? limit.attempts + 1 : limit.attempts
  draft.commandId += 1
  draft.limit = { watts, sentMs: nowMs, answer: undefined, attempts: isChange ? 0 : attempts }
  commands.push({ kind: 'LIMIT', id: draft.commandId, watts, why: draft.mode.kind })
}

/** Down at once where safety asks, or where nothing is wanted; else a step of the ramp at a time. */
function nextLimitW(rules: GuardRules, draft: Draft, condition: Condition): number {
  const { nowMs } = draft
  const { watts, sentMs } = draft.limit
  if (ZERO_CONDITIONS.includes(condition)) return 0
  const cap = capW(rules, draft)
  if (watts > safeW(rules, draft)) return cap
  const elapsedMs = nowMs - rampBaseMs(draft)
  if (watts > cap) return sentMs === undefined || nowMs - sentMs >= rules.rampStepMs ? cap : watts
  if (watts === cap || elapsedMs < rules.rampStepMs) return watts
  // What was not used of the ramp is not saved up: a step is a step, however long the last one was ago.
  const rise = (rampWPerS(rules, draft) * rules.rampStepMs) / 1_000
  return Math.min(cap, watts + Math.max(1, Math.floor(rise)))
}

function rampWPerS(rules: GuardRules, draft: Draft): number {
  const { enterServiceRampMs } = rules.grid
  if (draft.nowMs >= draft.softUntilMs || enterServiceRampMs === 0) return rules.rampUpWPerS
  return Math.min(rules.rampUpWPerS, (rules.ratedW * 1_000) / enterServiceRampMs)
}

function stopFailures(state: GuardState): number {
  return state.mode.kind === 'STOPPED' ? state.mode.failures : 0
}

function sameFlags(a: readonly FlagCode[], b: readonly FlagCode[]): boolean {
  return a.length === b.length && a.every((flag, index) => flag === b[index])
}
