/** UP: as it should be. DEGRADED: works, and something is wrong. DOWN: nothing comes through. One that is not configured is not there. */
export type SourceState = 'UP' | 'DEGRADED' | 'DOWN'

/** What an operator must look at. Codes are those of docs/gateway.md. */
export interface SourceProblem {
  readonly code: string
  readonly message: string
  /** Name of the EVSE, if it is about one. */
  readonly evse?: string
  /** Of somebody else's system, to which nothing is lost meanwhile: shown, and no reason to call the gateway unhealthy. */
  readonly isOutside?: boolean
}

/** One source's part of `backfeed gateway status` and of the health answer. */
export interface SourceStatus {
  readonly name: string
  readonly state: SourceState
  /** Figures for people: stations connected, messages taken. */
  readonly figures: Readonly<Record<string, number | string>>
  readonly problems: readonly SourceProblem[]
}

export interface ReportsStatus {
  status(): SourceStatus
}

/** A source that knows more of single EVSEs than their problems. */
export interface DescribesEvses {
  /** A few short facts for one line of a table: station online, 7.2 kW, 31 °C. Undefined: not an EVSE of this source. */
  describeEvse(name: string): Readonly<Record<string, string | number>> | undefined
}
