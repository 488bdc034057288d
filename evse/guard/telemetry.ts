/** A look at the hardware: what the fail-safe decides by. Absent: not measured by this source. */
export interface Telemetry {
  /** When it was measured, on the receiver's monotonic clock, milliseconds: the age at arrival is already taken off. */
  readonly atMs: number
  /** Fed into the grid; negative while the car charges. */
  readonly powerW?: number
  /** Hottest point of cable, inverter and battery, °C. */
  readonly tempC?: number
  readonly gridVoltageV?: number
  readonly gridFrequencyHz?: number
  /** Signal-to-noise of the power line link to the car (ISO 15118-3), dB. */
  readonly plcSnrDb?: number
  readonly contactorClosed?: boolean
}

/** Takes telemetry of an EVSE by its name; never waits. */
export type TelemetrySink = (evse: string, telemetry: Telemetry) => void
