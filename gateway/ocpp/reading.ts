import type { ReceivedValue } from '../ocmf/signedValue.ts'

// Sampled values of all OCPP versions in one shape, with the standard's defaults filled in.

/** OCPP 2.0.1 and 2.1 SampledValueType. */
export interface SampledValue2 {
  readonly value: number
  readonly context?: string
  readonly measurand?: string
  readonly phase?: string
  readonly location?: string
  readonly unitOfMeasure?: { readonly unit?: string; readonly multiplier?: number }
  readonly signedMeterValue?: {
    readonly signedMeterData: string
    readonly signingMethod?: string
    readonly encodingMethod?: string
    readonly publicKey?: string
  }
}

/** OCPP 1.6. */
export interface SampledValue16 {
  readonly value: string
  readonly context?: string
  readonly format?: string
  readonly measurand?: string
  readonly phase?: string
  readonly location?: string
  readonly unit?: string
}

export interface MeterValue<Sampled> {
  readonly timestamp: string
  readonly sampledValue: readonly Sampled[]
}

export interface Reading {
  /** Decimal text. Undefined: OCPP 1.6 SignedData has no plain value. */
  readonly value: string | undefined
  readonly measurand: string
  readonly context: string
  /** Undefined: of all phases together. */
  readonly phase: string | undefined
  readonly location: string
  /** Undefined: the measurand's own. */
  readonly unit: string | undefined
  /** Power of ten. */
  readonly multiplier: number
  readonly signed: ReceivedValue | undefined
}

/** Readings of one moment. */
export interface ReadingGroup {
  /** NaN when the station wrote a time that is none. */
  readonly atMs: number
  readonly readings: readonly Reading[]
}

/** Not to be guessed at: a value of which nothing is said is what the car took (OCPP 2.0.1 part 2, SampledValueType). */
const DEFAULT_MEASURAND = 'Energy.Active.Import.Register'
const DEFAULT_CONTEXT = 'Sample.Periodic'
const DEFAULT_LOCATION = 'Outlet'

export function readingsOf2(values: readonly MeterValue<SampledValue2>[] | undefined): ReadingGroup[] {
  return groups(values, (sampled) => {
    const signed = sampled.signedMeterValue
    return {
      value: String(sampled.value),
      measurand: sampled.measurand ?? DEFAULT_MEASURAND,
      context: sampled.context ?? DEFAULT_CONTEXT,
      phase: sampled.phase,
      location: sampled.location ?? DEFAULT_LOCATION,
      unit: sampled.unitOfMeasure?.unit,
      multiplier: sampled.unitOfMeasure?.multiplier ?? 0,
      signed:
        signed === undefined
          ? undefined
          : {
              data: signed.signedMeterData,
              encodingMethod: signed.encodingMethod,
              signingMethod: signed.signingMethod,
              publicKey: signed.publicKey,
            },
    }
  })
}

export function readingsOf16(values: readonly MeterValue<SampledValue16>[] | undefined): ReadingGroup[] {
  return groups(values, (sampled) => {
    const isSigned = sampled.format === 'SignedData'
    return {
      value: isSigned ? undefined : sampled.value,
      measurand: sampled.measurand ?? DEFAULT_MEASURAND,
      context: sampled.context ?? DEFAULT_CONTEXT,
      phase: sampled.phase,
      location: sampled.location ?? DEFAULT_LOCATION,
      unit: sampled.unit,
      multiplier: 0,
      signed: isSigned ? { data: sampled.value } : undefined,
    }
  })
}

function groups<Sampled>(
  values: readonly MeterValue<Sampled>[] | undefined,
  read: (sampled: Sampled) => Reading,
): ReadingGroup[] {
  return (values ?? []).map((value) => ({ atMs: Date.parse(value.timestamp), readings: value.sampledValue.map(read) }))
}
