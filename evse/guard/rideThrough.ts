// Voltage and frequency limits of IEEE 1547-2018: when a source of energy must leave the grid, when it must not, and when it may come back.
// The figures were held against EPRI's open model of the standard (OpenDER, report 3002025583, section 3.5.1).
// The inverter has these in its own firmware (UL 1741 SB); the guard is the second line, for an inverter that does not do as it should.

/** Abnormal operating performance category, clause 6.4.1. The area's grid operator says which applies; III is for grids with many such sources. */
export const CATEGORIES = ['I', 'II', 'III'] as const
export type Category = (typeof CATEGORIES)[number]

/** Overvoltage, undervoltage, overfrequency, underfrequency; 2 is the outer limit. */
export const TRIP_FUNCTIONS = ['OV2', 'OV1', 'UV1', 'UV2', 'OF2', 'OF1', 'UF1', 'UF2'] as const
export type TripFunction = (typeof TRIP_FUNCTIONS)[number]

export interface TripSetting {
  /** Share of nominal voltage or of nominal frequency. Beyond it, not at it: 1.10 p.u. is still continuous operation (table 14). */
  readonly threshold: number
  /** Out of the limit for as long as this, and discharge must have ceased. */
  readonly clearingMs: number
}

export type TripSettings = Readonly<Record<TripFunction, TripSetting>>

/** Clause 6.5.1, table 18: the same for all categories. Given for 60 Hz; here as shares, so that 50 Hz keeps the same proportion. */
const FREQUENCY_TRIPS = {
  OF2: { threshold: 62.0 / 60, clearingMs: 160 },
  OF1: { threshold: 61.2 / 60, clearingMs: 300_000 },
  UF1: { threshold: 58.5 / 60, clearingMs: 300_000 },
  UF2: { threshold: 56.5 / 60, clearingMs: 160 },
} as const

/** Default settings of clause 6.4.1, tables 11 to 13, and clause 6.5.1, table 18. */
export const DEFAULT_TRIPS: Readonly<Record<Category, TripSettings>> = {
  I: {
    OV2: { threshold: 1.2, clearingMs: 160 },
    OV1: { threshold: 1.1, clearingMs: 2_000 },
    UV1: { threshold: 0.7, clearingMs: 2_000 },
    UV2: { threshold: 0.45, clearingMs: 160 },
    ...FREQUENCY_TRIPS,
  },
  II: {
    OV2: { threshold: 1.2, clearingMs: 160 },
    OV1: { threshold: 1.1, clearingMs: 2_000 },
    UV1: { threshold: 0.7, clearingMs: 10_000 },
    UV2: { threshold: 0.45, clearingMs: 160 },
    ...FREQUENCY_TRIPS,
  },
  III: {
    OV2: { threshold: 1.2, clearingMs: 160 },
    OV1: { threshold: 1.1, clearingMs: 13_000 },
    UV1: { threshold: 0.88, clearingMs: 21_000 },
    UV2: { threshold: 0.5, clearingMs: 2_000 },
    ...FREQUENCY_TRIPS,
  },
}

/** Clause 4.10.2, table 4: inside these, and for 300 s by default, a source may enter service (again). Shares of nominal. */
export const ENTER_SERVICE = {
  minVoltage: 0.917,
  maxVoltage: 1.05,
  minFrequency: 59.5 / 60,
  maxFrequency: 60.1 / 60,
} as const

/**
 * CEASE: nothing may be fed in as long as it lasts, and it may come back at once (momentary cessation, cease to energize).
 * MANDATORY: must go on feeding in. PERMISSIVE: may do either; the guard goes on.
 */
export type VoltageRegion = 'CONTINUOUS' | 'MANDATORY' | 'PERMISSIVE' | 'CEASE'

/** Clause 6.4.2, tables 14 (category I), 15 (II) and 16 (III). `voltage` is a share of nominal. */
export function voltageRegion(category: Category, voltage: number): VoltageRegion {
  if (voltage > 1.2) return 'CEASE'
  if (voltage > 1.1) return category === 'III' ? 'CEASE' : 'PERMISSIVE'
  if (voltage >= 0.88) return 'CONTINUOUS'
  switch (category) {
    case 'I':
      return voltage >= 0.7 ? 'MANDATORY' : voltage >= 0.5 ? 'PERMISSIVE' : 'CEASE'
    case 'II':
      return voltage >= 0.65 ? 'MANDATORY' : voltage >= 0.3 ? 'PERMISSIVE' : 'CEASE'
    case 'III':
      return voltage >= 0.5 ? 'MANDATORY' : 'CEASE'
    default:
      return category satisfies never
  }
}

/**
 * How long a source must go on at this voltage before it may trip, ms (tables 14 to 16); undefined where nothing is asked. A trip setting that
 * is faster than this would leave a grid that counts on the source.
 */
export function mandatoryMs(category: Category, voltage: number): number | undefined {
  if (voltageRegion(category, voltage) !== 'MANDATORY') return undefined
  switch (category) {
    case 'I':
      return 700 + 4_000 * (voltage - 0.7)
    case 'II':
      return 3_000 + 8_700 * (voltage - 0.65)
    case 'III':
      return voltage >= 0.7 ? 20_000 : 10_000
    default:
      return category satisfies never
  }
}

export function isOver(name: TripFunction): boolean {
  return name.startsWith('O')
}

export function isVoltage(name: TripFunction): boolean {
  return name[1] === 'V'
}

/** Whether a reading, as a share of nominal, is beyond a trip limit. */
export function isBeyond(name: TripFunction, setting: TripSetting, share: number): boolean {
  return isOver(name) ? share > setting.threshold : share < setting.threshold
}
