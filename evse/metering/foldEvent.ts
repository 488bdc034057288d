import { POWER_TOLERANCE_BPS } from '../../protocol/limits.ts'
import type { CutRules } from './config.ts'
import type { Cutter } from './cutter.ts'
import type { MeterEvent, MeterSample } from './meterEvent.ts'
import {
  MAX_PAST,
  type MeterState,
  type RegisterPoint,
  type Transaction,
  type TransactionEnd,
  withProblem,
} from './meterState.ts'
import { intervalFloor } from './recordSize.ts'
import { readGauge, stampFirst } from './socGauge.ts'
import { noteTemperature } from './temperatures.ts'

/** Device clocks tell whole seconds: two readings of one second may differ by what flowed in it, and one more for its rounding. */
const TIMESTAMP_STEP_MS = 2_000

/**
 * Takes one message, whose turn it is, into the state. Messages of a transaction that is over, and readings from before the last one that
 * counts, change nothing of what was cut: the register made the total right already. They are only looked at for contradictions.
 */
export function foldEvent(cutter: Cutter, event: MeterEvent, rules: CutRules): void {
  const { state } = cutter
  let current = state.transaction
  if (current?.id !== event.transaction) {
    const past = state.past.find(({ id }) => id === event.transaction)
    if (isOver(event, past, state)) {
      foldLate(cutter, event, past, rules)
      return
    }
    state.past = state.past.filter((other) => other !== past)
    if (current !== undefined) closeTransaction(cutter, 'ABANDONED')
    current = beginTransaction(cutter, event, rules)
  }
  learn(cutter, event)
  for (const sample of event.samples.toSorted((a, b) => a.atMs - b.atMs)) foldSample(cutter, sample, rules)
  if (event.kind === 'ENDED') closeTransaction(cutter, 'ENDED')
}

/** Ends the open transaction at its last reading. */
export function closeTransaction(cutter: Cutter, end: 'ENDED' | 'ABANDONED'): void {
  const { state } = cutter
  cutter.flush()
  const { transaction } = state
  if (transaction === undefined) return
  if (end === 'ABANDONED' && transaction.end !== 'IDLE') {
    flag(state, 'TRANSACTION_UNENDED', 'its end never came; cut at its last reading', transaction.lastEventMs)
  }
  state.past = [...state.past, { ...transaction, end }].slice(-MAX_PAST)
  state.transaction = undefined
}

/** The transaction fell silent: what is open is cut. It goes on if it is heard of again. */
export function idleTransaction(cutter: Cutter): void {
  const { state } = cutter
  cutter.flush()
  if (state.transaction === undefined) return
  flag(state, 'TRANSACTION_IDLE', 'nothing heard of it; cut at its last reading', state.transaction.lastEventMs)
  state.transaction = { ...state.transaction, end: 'IDLE' }
}

/** The operator's word that the meter was changed or its register reset: readings go on from the first that did not fit. */
export function acceptRegister(cutter: Cutter): void {
  const { state } = cutter
  const { suspect, register } = state
  if (suspect === undefined || register === undefined) return
  state.offsetMilliWh = register.milliWh - suspect.first.milliWh
  state.suspect = undefined
  const at = (point: RegisterPoint): RegisterPoint => ({ ...point, milliWh: point.milliWh + state.offsetMilliWh })
  const last = at(suspect.last)
  if (last.milliWh < register.milliWh) return
  cutter.flush()
  cutter.withholdTo(last, 'ERR_DATA_INCONSISTENCY', 'flowed while the meter’s register was in doubt')
}

export function flag(state: Cutter['state'], code: string, message: string, atMs: number): void {
  state.problems = withProblem(state.problems, { code, message, transaction: state.transaction?.id, atMs })
}

function beginTransaction(cutter: Cutter, event: MeterEvent, rules: CutRules): Transaction {
  const { state } = cutter
  state.transaction = freshTransaction(event, 'OPEN')
  if (rules.registerScope === 'transaction') {
    state.offsetMilliWh = state.register?.milliWh ?? 0
    state.suspect = undefined
  }
  const base = state.register?.milliWh
  const isLater = state.register === undefined || event.atMs >= state.register.atMs
  if (!isLater || state.suspect !== undefined) return state.transaction
  if (rules.registerScope === 'transaction') startRegister(cutter, { atMs: event.atMs, milliWh: base ?? 0 })
  else if (rules.exportsOnlyInTransaction && base !== undefined && !saysRegister(event)) {
    startRegister(cutter, { atMs: event.atMs, milliWh: base })
  }
  return state.transaction
}

function learn(cutter: Cutter, event: MeterEvent): void {
  const { state } = cutter
  const transaction = state.transaction!
  if (event.contract !== undefined && transaction.contract !== undefined && event.contract !== transaction.contract) {
    flag(
      state,
      'CONTRACT_CHANGED',
      `names contract ${event.contract}; the first, ${transaction.contract}, stays`,
      event.atMs,
    )
  }
  const isLate = event.atMs < transaction.lastEventMs && event.seqNo !== transaction.lastSeqNo + 1
  state.transaction = {
    ...transaction,
    end: 'OPEN',
    lastEventMs: Math.max(transaction.lastEventMs, event.atMs),
    lastSeqNo: isLate ? transaction.lastSeqNo : event.seqNo,
    contract: transaction.contract ?? event.contract,
  }
}

function foldSample(cutter: Cutter, sample: MeterSample, rules: CutRules): void {
  const { state } = cutter
  if (sample.exportMilliWh !== undefined)
    foldRegister(cutter, { atMs: sample.atMs, milliWh: sample.exportMilliWh }, rules)
  if (sample.socBp !== undefined) foldSoc(cutter, sample.atMs, sample.socBp)
  if (sample.tempC !== undefined && intervalFloor(sample.atMs) >= state.spanStart) {
    const reading = { atMs: sample.atMs, tempC: sample.tempC }
    state.temperatures = noteTemperature(state.temperatures, reading, rules.recordIntervals)
  }
}

function foldRegister(cutter: Cutter, said: RegisterPoint, rules: CutRules): void {
  const { state } = cutter
  const point = { atMs: said.atMs, milliWh: said.milliWh + state.offsetMilliWh }
  const last = state.register
  const transaction = state.transaction!
  if (last === undefined) startRegister(cutter, point)
  else if (point.atMs < last.atMs) checkLate(state, point, rules)
  else if (!goesOn(last, point, rules)) suspectRegister(state, said, rules)
  else {
    followRegister(cutter, { said, point, last }, rules)
    if (transaction.baseMilliWh === undefined) startRegister(cutter, point)
    const exported = Math.max(0, state.register!.milliWh - state.transaction!.baseMilliWh!)
    state.transaction = { ...state.transaction!, gauge: stampFirst(state.transaction!.gauge, exported) }
  }
}

function followRegister(
  cutter: Cutter,
  reading: { said: RegisterPoint; point: RegisterPoint; last: RegisterPoint },
  rules: CutRules,
): void {
  const { state } = cutter
  const { said, point, last } = reading
  if (state.suspect !== undefined && goesOn(state.suspect.last, said, rules)) {
    // Fits both: the register may have been another for a while.
    cutter.flush()
    cutter.withholdTo(point, 'ERR_DATA_INCONSISTENCY', 'flowed while the meter’s register was in doubt')
    flag(state, 'ERR_DATA_INCONSISTENCY', 'the register jumped and came back; what it rose is put aside', said.atMs)
  } else if (state.transaction!.baseMilliWh === undefined) {
    cutter.withholdTo(point, 'OUTSIDE_TRANSACTION', 'the register rose before the transaction’s first reading')
  } else if (point.milliWh >= last.milliWh) {
    cutter.advance(point)
  }
  state.suspect = undefined
}

/** The transaction's first reading: its energy counts from here. */
function startRegister(cutter: Cutter, point: RegisterPoint): void {
  const { state } = cutter
  if (state.register === undefined) {
    state.cutWh = Math.floor(point.milliWh / 1_000)
    state.cutInterval = intervalFloor(point.atMs)
  }
  state.register = point
  state.transaction = {
    ...state.transaction!,
    baseMilliWh: point.milliWh,
    gauge: stampFirst(state.transaction!.gauge, 0),
  }
  cutter.startSpan(point.atMs)
}

/** Whether a register can have come from one reading to the other: not backwards, and not faster than rated power. */
function goesOn(from: RegisterPoint, to: RegisterPoint, rules: CutRules): boolean {
  const resolution = rules.meterResolutionWh * 1_000
  const rose = to.milliWh - from.milliWh
  const spanMs = Math.abs(to.atMs - from.atMs) + TIMESTAMP_STEP_MS
  const possible = (rules.ratedW * POWER_TOLERANCE_BPS * spanMs) / (10_000 * 3_600) + 2 * resolution
  return rose <= possible && rose >= (to.atMs - from.atMs < TIMESTAMP_STEP_MS ? -resolution : 0)
}

function suspectRegister(state: Cutter['state'], said: RegisterPoint, rules: CutRules): void {
  const old = state.suspect
  const follows = old !== undefined && goesOn(old.last, said, rules)
  state.suspect = { first: follows ? old.first : said, last: said }
  const was = state.register!.milliWh - state.offsetMilliWh
  const message = `the export register went from ${was / 1_000} to ${said.milliWh / 1_000} Wh: not signed`
  flag(state, 'ERR_DATA_INCONSISTENCY', message, said.atMs)
}

function foldSoc(cutter: Cutter, atMs: number, socBp: number): void {
  const { state } = cutter
  const transaction = state.transaction!
  if (transaction.gauge !== undefined && atMs <= transaction.gauge.lastAtMs) return
  const { register } = state
  const isExact = register?.atMs === atMs
  const exportedMilliWh = Math.max(0, (register?.milliWh ?? 0) - (transaction.baseMilliWh ?? register?.milliWh ?? 0))
  const reading = { atMs, socBp, exportedMilliWh, isExact: isExact || transaction.baseMilliWh === undefined }
  state.transaction = { ...transaction, gauge: readGauge(transaction.gauge, reading) }
}

/** A reading from before the last one that counts must lie between the boundaries that were signed around it. */
function checkLate(state: Cutter['state'], point: RegisterPoint, rules: CutRules): void {
  const slack = (rules.meterResolutionWh + 1) * 1_000
  const before = state.boundaries.findLast(({ atMs }) => atMs <= point.atMs)
  const after = state.boundaries.find(({ atMs }) => atMs >= point.atMs) ?? state.register!
  if (point.milliWh <= after.milliWh + slack && point.milliWh >= (before?.milliWh ?? 0) - slack) return
  flag(state, 'ERR_DATA_INCONSISTENCY', 'a late reading contradicts what was signed; it changes nothing', point.atMs)
}

/** Whether a message of another transaction than the open one can no longer count. */
export function isOver(event: MeterEvent, past: Transaction | undefined, state: MeterState): boolean {
  const { register, transaction } = state
  if (past?.end === 'ENDED') return true
  if (past?.end === 'ABANDONED' && transaction !== undefined) return true
  const latest = event.samples.reduce((max, { atMs }) => Math.max(max, atMs), event.atMs)
  if (register !== undefined && latest < register.atMs) return true
  return transaction !== undefined && latest < transaction.startMs
}

function foldLate(cutter: Cutter, event: MeterEvent, past: Transaction | undefined, rules: CutRules): void {
  const { state } = cutter
  const known = past ?? freshTransaction(event, 'LATE')
  const contract = known.contract ?? event.contract
  const lastEventMs = Math.max(known.lastEventMs, event.atMs)
  const updated = { ...known, contract, lastEventMs }
  state.past = [...state.past.filter((other) => other !== past), updated].slice(-MAX_PAST)
  if (past === undefined) {
    flag(
      state,
      'EVENT_LATE',
      `transaction ${event.transaction} came after later energy was cut; its energy was put aside`,
      event.atMs,
    )
  }
  const current = state.transaction
  if (
    current !== undefined &&
    event.kind !== 'ENDED' &&
    event.atMs > current.startMs &&
    current.trouble === undefined
  ) {
    const trouble = 'ERR_DATA_INCONSISTENCY'
    flag(state, trouble, `transactions ${known.id} and ${current.id} at once: energy is put aside`, event.atMs)
    state.transaction = { ...current, trouble }
  }
  for (const { atMs, exportMilliWh } of event.samples) {
    const isCut = state.register !== undefined && atMs < state.register.atMs
    if (exportMilliWh === undefined || !isCut || rules.registerScope === 'transaction') continue
    checkLate(state, { atMs, milliWh: exportMilliWh + state.offsetMilliWh }, rules)
  }
}

function freshTransaction(event: MeterEvent, end: TransactionEnd): Transaction {
  return {
    id: event.transaction,
    end,
    startMs: event.atMs,
    lastEventMs: event.atMs,
    lastSeqNo: event.seqNo,
    contract: undefined,
    baseMilliWh: undefined,
    gauge: undefined,
    trouble: undefined,
  }
}

/** Whether the message itself says where the register stood when it was made. */
function saysRegister(event: MeterEvent): boolean {
  return event.samples.some(
    ({ exportMilliWh, atMs }) => exportMilliWh !== undefined && atMs <= event.atMs + TIMESTAMP_STEP_MS,
  )
}
