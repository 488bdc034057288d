import type { WithheldCode } from './draft.ts'
import type { SocGauge } from './socGauge.ts'
import { NO_TEMPERATURES, type Temperatures } from './temperatures.ts'

/** A reading of the export register, carried on over changes of meters: what the device said plus `offsetMilliWh`. */
export interface RegisterPoint {
  readonly atMs: number
  /** 10^-3 Wh */
  readonly milliWh: number
}

/** OPEN goes on. ENDED: it said so. IDLE: it fell silent. ABANDONED: another began. LATE: known only from messages that came too late to count. */
export type TransactionEnd = 'OPEN' | 'ENDED' | 'IDLE' | 'ABANDONED' | 'LATE'

export interface Transaction {
  readonly id: string
  readonly end: TransactionEnd
  readonly startMs: number
  /** Latest moment that a message of it spoke of. */
  readonly lastEventMs: number
  readonly lastSeqNo: number
  /** The first contract named: a later token may be that of somebody who only stops the transaction. */
  readonly contract: number | undefined
  /** Register at its first reading; undefined before one. */
  readonly baseMilliWh: number | undefined
  readonly gauge: SocGauge | undefined
  /** Its energy is put aside under this code from now on. */
  readonly trouble: WithheldCode | undefined
}

/** Readings that do not go on from where the register was: a glitch, another meter, or a clock. */
export interface Suspect {
  /** As the device said them, without offset. */
  readonly first: RegisterPoint
  readonly last: RegisterPoint
}

/** What an operator should look at. Counted, not repeated. */
export interface MeterProblem {
  readonly code: string
  readonly message: string
  readonly transaction: string | undefined
  /** Of the device's clock. */
  readonly lastMs: number
  readonly count: number
}

/** Where the reading of one EVSE's meter stands. Plain data: goes to disk as it is. */
export interface MeterState {
  readonly offsetMilliWh: number
  /** Last reading that counts; everything up to it is decided. */
  readonly register: RegisterPoint | undefined
  readonly suspect: Suspect | undefined
  /** End of the last span given away. */
  readonly cutInterval: number
  /** Register up to which energy was given away, to records or put aside. May lie a little below the register at `cutInterval`. */
  readonly cutWh: number
  /** First interval of the span that is being filled. */
  readonly spanStart: number
  readonly transaction: Transaction | undefined
  readonly temperatures: Temperatures
  /** Ended ones whose messages are still known, oldest first. */
  readonly past: readonly Transaction[]
  /** Register at the last boundaries, to tell whether late readings contradict what was signed. */
  readonly boundaries: readonly RegisterPoint[]
  readonly problems: readonly MeterProblem[]
  /** Number of the next draft. */
  readonly nextDraft: number
}

export const FRESH_METER: MeterState = {
  offsetMilliWh: 0,
  register: undefined,
  suspect: undefined,
  cutInterval: 0,
  cutWh: 0,
  spanStart: 0,
  transaction: undefined,
  temperatures: NO_TEMPERATURES,
  past: [],
  boundaries: [],
  problems: [],
  nextDraft: 0,
}

/** Ended transactions kept per EVSE: a week of busy days. The oldest is forgotten early. */
export const MAX_PAST = 128
/** Kinds of problems kept per EVSE; the one that was quiet longest gives way. */
export const MAX_PROBLEMS = 16
/** Boundaries kept to judge late readings by: four hours of 15-minute records. */
export const MAX_BOUNDARIES = 16

export function findTransaction(state: MeterState, id: string): Transaction | undefined {
  return state.transaction?.id === id ? state.transaction : state.past.findLast((past) => past.id === id)
}

export function withProblem(
  problems: readonly MeterProblem[],
  found: { code: string; message: string; transaction: string | undefined; atMs: number },
): readonly MeterProblem[] {
  const { code, message, transaction, atMs } = found
  const old = problems.find((problem) => problem.code === code)
  const rest = problems.filter((problem) => problem !== old)
  const fresh = { code, message, transaction, lastMs: atMs, count: (old?.count ?? 0) + 1 }
  return [...rest, fresh].slice(-MAX_PROBLEMS)
}
