import { observeGrid } from './gridMonitor.ts'
import type { GuardRules } from './guardConfig.ts'
import type { GuardInput, GuardState, Reading } from './guardState.ts'
import type { Telemetry } from './telemetry.ts'
import { thermalLevel } from './thermal.ts'

/** A state under construction within one step. */
export type Draft = { -readonly [Key in keyof GuardState]: GuardState[Key] }

/** Takes what an input says into the state; decides nothing. */
export function absorb(rules: GuardRules, draft: Draft, input: GuardInput): void {
  switch (input.kind) {
    case 'TELEMETRY':
      absorbTelemetry(rules, draft, input.telemetry)
      break
    case 'DEMAND':
      // What is no number asks for nothing.
      draft.demand = {
        watts: Number.isFinite(input.watts) ? Math.max(0, input.watts) : 0,
        untilMs: Number.isNaN(input.untilMs) ? Number.NEGATIVE_INFINITY : input.untilMs,
      }
      break
    case 'TICK':
      if (input.lateMs !== undefined && input.lateMs > rules.lateMs) draft.lateMs = draft.nowMs
      break
    case 'ANSWER':
      if (input.id !== draft.commandId) break
      if (draft.mode.kind === 'STOPPED') draft.mode = { ...draft.mode, answer: input.answer }
      else {
        const attempts = input.answer === 'ACCEPTED' ? 0 : draft.limit.attempts + 1
        draft.limit = { ...draft.limit, answer: input.answer, attempts }
      }
      break
    case 'LINK_LOST':
      draft.powerW = undefined
      draft.freshSinceMs = undefined
      break
    case 'RESET':
      break
    default:
      input satisfies never
  }
}

function absorbTelemetry(rules: GuardRules, draft: Draft, telemetry: Telemetry): void {
  if (!Number.isFinite(telemetry.atMs)) return
  // Nothing was measured in the future: a source with a wrong clock must not stay fresh for longer.
  const atMs = Math.min(telemetry.atMs, draft.nowMs)
  const take = (value: number | undefined, before: Reading | undefined): Reading | undefined =>
    value === undefined || !Number.isFinite(value) || (before !== undefined && atMs < before.atMs)
      ? undefined
      : { value, atMs }

  const power = take(telemetry.powerW, draft.powerW)
  const isLate = draft.powerW !== undefined && atMs < draft.powerW.atMs
  if (power !== undefined) draft.powerW = power

  const temp = take(telemetry.tempC, draft.tempC)
  if (temp !== undefined) {
    draft.tempC = temp
    draft.thermalLevel = thermalLevel(rules.thermal, draft.thermalLevel, temp.value)
    draft.isCold = temp.value < rules.thermal.minC + (draft.isCold ? rules.thermal.stepHysteresisC : 0)
  }

  const voltage = take(telemetry.gridVoltageV, draft.gridVoltageV)
  const frequency = take(telemetry.gridFrequencyHz, draft.gridFrequencyHz)
  if (voltage !== undefined) draft.gridVoltageV = voltage
  if (frequency !== undefined) draft.gridFrequencyHz = frequency
  const reading = {
    voltage: voltage && voltage.value / rules.grid.nominalV,
    frequency: frequency && frequency.value / rules.grid.nominalHz,
  }
  draft.grid = observeGrid(rules, draft.grid, reading, atMs)

  const snr = telemetry.plcSnrDb
  if (snr !== undefined && Number.isFinite(snr) && !isLate) {
    draft.isPlcDegraded = snr < rules.plcMinSnrDb + (draft.isPlcDegraded ? rules.plcHysteresisDb : 0)
  }
  if (telemetry.contactorClosed !== undefined && !isLate) {
    if (draft.contactorClosed !== undefined && draft.contactorClosed !== telemetry.contactorClosed) {
      draft.switchedMs = draft.nowMs
    }
    draft.contactorClosed = telemetry.contactorClosed
  }
}
