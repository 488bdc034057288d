/** Why energy was put aside instead of signed. Codes of docs/gateway.md. */
export type WithheldCode =
  | 'GAP_TOO_LONG'
  | 'OUTSIDE_TRANSACTION'
  | 'POWER_EXCEEDED'
  | 'CONTRACT_UNKNOWN'
  | 'SOC_UNKNOWN'
  | 'EVSE_NOT_ACTIVE'
  | 'ERR_AUTH_EXPIRED'
  | 'CLOCK_UNTRUSTED'
  | 'ERR_DATA_INCONSISTENCY'

interface DraftSpan {
  /** Order of an EVSE's drafts; unique. */
  readonly number: number
  /** Of the parts of a gap that was released: which part; 0 otherwise. */
  readonly part: number
  readonly transaction: string | undefined
  /** First interval. */
  readonly start: number
  /** One past the last interval. */
  readonly end: number
  readonly energyWh: number
  /** Export register at the end. */
  readonly meterEndWh: number
  /** Hottest point, as a record has it: 255 is unknown. */
  readonly tempC: number
}

/** A finished span that waits for its contract, its gauge and its signature. */
export interface RecordDraft extends DraftSpan {
  readonly kind: 'RECORD'
  readonly transaction: string
  /** Exported by the transaction up to the span's end, 10^-3 Wh. */
  readonly exportedMilliWh: number
  /** Fall of the car's gauge up to the span's end, 0.01 %. */
  readonly dropBp: number
}

/** Energy that is known to have flowed, and not known to whom, when, or whether at all. */
export interface WithheldDraft extends DraftSpan {
  readonly kind: 'WITHHELD'
  readonly code: WithheldCode
  readonly message: string
  /** Exported by the transaction before and after, 10^-3 Wh: what a gap is spread by once it is released. */
  readonly fromMilliWh: number
  readonly toMilliWh: number
  readonly dropBp: number
}

export type Draft = RecordDraft | WithheldDraft
