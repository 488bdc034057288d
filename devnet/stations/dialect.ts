// How a simulated station says the same in OCPP 1.6 and in OCPP 2.

export type ReadingContext = 'Transaction.Begin' | 'Transaction.End' | 'Sample.Periodic' | 'Sample.Clock'

/** A signed value as the station's meter makes it. */
export interface SignedByMeter {
  readonly data: string
  readonly signingMethod: string
  readonly encodingMethod: string
  readonly publicKey: string
}

/** What the station reads off its meter and its car at one moment. */
export interface StationSample {
  readonly atMs: number
  readonly context: ReadingContext
  readonly exportMilliWh: number
  /** %, with two decimals at most. */
  readonly soc: number | undefined
  /** Hottest point, °C. */
  readonly tempC: number | undefined
  readonly powerW: number
  readonly voltageV: number
  readonly frequencyHz: number
  readonly signed: SignedByMeter | undefined
}

export type TransactionStep = 'Started' | 'Updated' | 'Ended'

export interface StationTransaction {
  readonly evseId: number
  readonly token: string
  /** Of the station's making; OCPP 1.6 replaces it by the gateway's. */
  id: string
  nextSeqNo: number
}

export interface TransactionMoment {
  readonly step: TransactionStep
  readonly transaction: StationTransaction
  readonly seqNo: number
  readonly atMs: number
  readonly offline: boolean
  readonly sample: StationSample
}

export interface Call {
  readonly action: string
  readonly params: object
}

export interface Dialect {
  boot(): Call
  available(evseId: number, atMs: number): Call
  step(moment: TransactionMoment): { readonly action: string; readonly params: () => object }
  /** What is said before a step because the step has no place for it; undefined: nothing. */
  before(moment: TransactionMoment): Call | undefined
  /** What the answer to a step tells about the transaction. */
  answered(moment: TransactionMoment, answer: unknown): void
}

/** 10^-3 Wh in Wh, as JSON has it. */
export function wattHours(milliWh: number): number {
  return milliWh / 1_000
}

export function isoTime(atMs: number): string {
  return new Date(atMs).toISOString()
}
