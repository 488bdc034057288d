import type { EdgeEvse } from '../fleet/directory.ts'

// What the gateway asks of a signed meter value, and what it is told. The bytes are taken as they came: whoever parses and writes them
// anew breaks the signature.

/** A signed value as a protocol carried it. */
export interface ReceivedValue {
  /**
   * OCPP 2.0.1 `signedMeterData` (base64), OCPP 1.6 `value` with format SignedData (bare OCMF, base64, hex, or the JSON of a
   * SignedMeterValueType), or `OCMF|…|…` itself. Told apart by what it is.
   */
  readonly data: string
  /** OCPP 2.0.1 `encodingMethod`; another one than OCMF cannot be read. Empty or undefined: not said. */
  readonly encodingMethod?: string | undefined
  /** OCPP 2.0.1 `signingMethod`, such as ECDSA-secp256r1-SHA256: holds where the value itself names no algorithm. */
  readonly signingMethod?: string | undefined
  /** The key that came along. It proves nothing: it is only compared with the one that is configured. */
  readonly publicKey?: string | undefined
}

/** One export reading of a value whose signature is right. */
export interface SignedReading {
  /** Export register, 10^-3 Wh, rounded down where the meter is finer. */
  readonly exportMilliWh: number
  /** Of the meter's clock, milliseconds since the Unix epoch. */
  readonly atMs: number
  /** `clock` is SYNCHRONISED. Otherwise `atMs` is not to be settled by. */
  readonly synchronised: boolean
  readonly clock: MeterClock
  /** What it was read for (OCMF TX). */
  readonly moment: ReadingMoment | undefined
  /** The register as C.D.E, such as 2.8.0 or C0.8.0. */
  readonly register: string
}

/**
 * Of OCMF TM. INFORMATIVE: set by hand or network, not vouched for. RELATIVE: the same, with durations vouched for. NOT_SET: the meter says so,
 * flags a time error, or says a time before there was OCMF.
 */
export type MeterClock = 'SYNCHRONISED' | 'INFORMATIVE' | 'RELATIVE' | 'NOT_SET'

export type ReadingMoment =
  | 'BEGIN'
  | 'CHARGING'
  | 'EXCEPTION'
  | 'END'
  | 'ENDED_LOCALLY'
  | 'ENDED_REMOTELY'
  | 'ABORTED'
  | 'POWER_FAILURE'
  | 'SUSPENDED'
  | 'TARIFF_CHANGE'

export type SignedValueCode =
  /** There is no signature although the EVSE's policy asks for one, or the value has none. */
  | 'OCMF_UNSIGNED'
  /** The signature does not fit value and key. */
  | 'OCMF_BAD_SIGNATURE'
  /** Not OCMF, or damaged, or too large. */
  | 'OCMF_UNREADABLE'
  /** No key of the EVSE's meter is configured, or it is none. */
  | 'OCMF_KEY_UNKNOWN'
  /** Rightly signed, but it holds no export register. */
  | 'OCMF_NOT_EXPORT'
  /** Rightly signed, but by a clock that is not set: only where the policy refuses. */
  | 'OCMF_CLOCK'
  /** Rightly signed, and the meter says that it is not well. */
  | 'OCMF_METER_ERROR'

export interface SignedValueProblem {
  readonly code: SignedValueCode
  readonly message: string
}

/** Odd, and to be shown to an operator, but the signature is right. */
export type SignedValueFlag =
  /** The key that came along is another one than the configured. */
  | 'KEY_DIFFERS'
  /** The configured key lies on another curve than the value announces. */
  | 'CURVE_DIFFERS'
  /** The clock of at least one reading is not set. */
  | 'CLOCK_NOT_SET'

export interface Pagination {
  readonly kind: 'T' | 'F'
  readonly number: number
}

/** What a rightly signed value says. */
export interface VerifiedValue {
  /** Total export registers, in the order of the value; at least one. Only these go into a `MeterSample`. */
  readonly readings: readonly SignedReading[]
  /** Export of registers that begin at 0 with each transaction, or count at the vehicle's side (OBIS C1–C3): to compare with, never a `MeterSample`. */
  readonly otherReadings: readonly SignedReading[]
  /** Serial number of the meter (MS), else of the gateway that signs (GS). */
  readonly serial: string | undefined
  /** Kind (T: in transactions, F: outside of them) and counter of PG; `PaginationWatch` tells gaps. */
  readonly pagination: Pagination | undefined
  /** Whom the meter's own transaction names (ID), as the value has it. */
  readonly identification: string | undefined
  readonly flags: readonly SignedValueFlag[]
}

/**
 * `VERIFIED`: settle by `value.readings`, not by the plain number beside them.
 * `FLAGGED`: the policy only checks and something is wrong: take the plain number, show the problem.
 * `REFUSED`: the policy refuses: take nothing of it.
 * `IGNORED`: the policy looks at no signatures: take the plain number.
 * `evidence` is what came, to be kept with the meter event for disputes.
 */
export type Judgement =
  | { readonly verdict: 'VERIFIED'; readonly value: VerifiedValue; readonly evidence: Uint8Array }
  | { readonly verdict: 'FLAGGED'; readonly problem: SignedValueProblem; readonly evidence: Uint8Array | undefined }
  | { readonly verdict: 'REFUSED'; readonly problem: SignedValueProblem; readonly evidence: Uint8Array | undefined }
  | { readonly verdict: 'IGNORED'; readonly evidence: Uint8Array | undefined }

/** What counts of an EVSE. */
export type SignedValuePolicy = Pick<EdgeEvse, 'signedValues' | 'meterKey'>

/**
 * Judges one value (undefined: the sample came without one). Never throws and never blocks the event loop; answers of one EVSE may be awaited
 * one after another where order matters. `gateway/ocmf/judge.ts` has it as `judgeSignedValue`.
 */
export type JudgeSignedValue = (evse: SignedValuePolicy, value: ReceivedValue | undefined) => Promise<Judgement>
