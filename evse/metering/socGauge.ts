/**
 * What the car's own gauge said of its state of charge in one transaction. Gauges are coarse in value (whole percents) and in time
 * (a reading every few minutes), so the drop is known to one step for every stretch of discharging, and only between readings.
 */
export interface SocGauge {
  /** Sum of all falls between readings, 0.01 %. */
  readonly dropBp: number
  /** Stretches of falling: 1, and one more for every rise after a fall. Each may hide up to a step. */
  readonly phases: number
  readonly falling: boolean
  readonly firstAtMs: number
  /** Energy exported in the transaction at the first reading, mWh, rounded in the car's favour; undefined until the meter has spoken after it. */
  readonly firstMilliWh: number | undefined
  readonly lastAtMs: number
  readonly lastBp: number
  /** Energy exported by the last reading, mWh, rounded in the car's favour. */
  readonly lastMilliWh: number
}

export interface SocReading {
  readonly atMs: number
  readonly socBp: number
  /** Energy the transaction had exported by the meter's last word up to this reading, mWh. */
  readonly exportedMilliWh: number
  /** Whether the meter's last word is of the same moment. */
  readonly isExact: boolean
}

export function readGauge(gauge: SocGauge | undefined, reading: SocReading): SocGauge {
  const { atMs, socBp, exportedMilliWh } = reading
  if (gauge === undefined) {
    const firstMilliWh = reading.isExact ? exportedMilliWh : undefined
    const at = { firstAtMs: atMs, firstMilliWh, lastAtMs: atMs, lastBp: socBp, lastMilliWh: exportedMilliWh }
    return { dropBp: 0, phases: 1, falling: false, ...at }
  }
  const fell = Math.max(0, gauge.lastBp - socBp)
  const rose = socBp > gauge.lastBp
  return {
    ...gauge,
    dropBp: gauge.dropBp + fell,
    phases: gauge.phases + (rose && gauge.falling ? 1 : 0),
    falling: fell > 0 || (gauge.falling && !rose),
    lastAtMs: atMs,
    lastBp: socBp,
    lastMilliWh: exportedMilliWh,
  }
}

/** The meter has spoken after the gauge's first reading: at that reading no more than this can have been exported. */
export function stampFirst(gauge: SocGauge | undefined, exportedMilliWh: number): SocGauge | undefined {
  return gauge === undefined || gauge.firstMilliWh !== undefined ? gauge : { ...gauge, firstMilliWh: exportedMilliWh }
}

export type GaugeVerdict = 'COVERED' | 'STALE' | 'TOO_EARLY' | 'CONTRADICTED'

/**
 * Whether the gauge bears out that the transaction had exported `exportedMilliWh` by `atMs`.
 * STALE and CONTRADICTED may still turn into COVERED with a later reading; TOO_EARLY (long before the first reading) never.
 */
export function judgeGauge(
  gauge: SocGauge,
  energy: { readonly exportedMilliWh: number; readonly atMs: number },
  rules: {
    readonly capacityWh: number
    readonly socResolutionBp: number
    readonly socToleranceBps: number
    readonly socMaxAgeSeconds: number
  },
): GaugeVerdict {
  const maxAgeMs = rules.socMaxAgeSeconds * 1_000
  if (gauge.firstAtMs - energy.atMs > maxAgeMs) return 'TOO_EARLY'
  if (energy.atMs - gauge.lastAtMs > maxAgeMs) return 'STALE'
  const covered = Math.min(energy.exportedMilliWh, gauge.lastMilliWh) - (gauge.firstMilliWh ?? gauge.lastMilliWh)
  const allowedBp = gauge.dropBp + rules.socResolutionBp * gauge.phases
  // covered mWh ≤ allowed 0.01 % of the capacity, widened by the tolerance
  return covered * 10 * 10_000 <= allowedBp * rules.capacityWh * (10_000 + rules.socToleranceBps)
    ? 'COVERED'
    : 'CONTRADICTED'
}

/** The smallest drop with which check 8 passes whatever the tolerance, 0.01 %, rounded up. */
export function dropForEnergy(energyWh: number, capacityWh: number): number {
  return Math.ceil((energyWh * 10_000) / capacityWh)
}
