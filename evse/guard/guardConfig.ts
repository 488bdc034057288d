import { z } from 'zod'
import {
  CATEGORIES,
  type Category,
  DEFAULT_TRIPS,
  ENTER_SERVICE,
  mandatoryMs,
  TRIP_FUNCTIONS,
  type TripFunction,
  type TripSettings,
} from './rideThrough.ts'

const ms = (min: number, max: number) => z.number().int().min(min).max(max)
const celsius = z.number().min(-60).max(150)
const share = z.number().positive().max(1)

const telemetrySchema = z.strictObject({
  staleMs: ms(20, 600_000)
    .default(200)
    .describe(
      'Discharge pauses when the newest telemetry with a power in it is older, ms. 200: what grid operators of fast reserve expect; sources that cannot be that fast must be given their own number.',
    ),
  resumeAfterMs: ms(0, 600_000)
    .default(1_000)
    .describe('Telemetry must have come without a gap for so long before discharge resumes, ms. 0: at the first one.'),
})

const thermalSchema = z
  .strictObject({
    maxC: celsius
      .default(45)
      .describe('Above this discharge is 0 W (THERMAL_LIMIT_REACHED), °C. End of the operating range 20–45.'),
    hysteresisC: z
      .number()
      .min(0)
      .max(30)
      .default(3)
      .describe(
        'Discharge comes back once it is this much under maxC, °C: a temperature that hovers at the limit must not switch.',
      ),
    steps: z
      .array(z.strictObject({ aboveC: celsius.describe('°C.'), share: share.describe('Of rated power.') }))
      .max(16)
      .default([
        { aboveC: 40, share: 0.75 },
        { aboveC: 42, share: 0.5 },
        { aboveC: 44, share: 0.25 },
      ])
      .describe(
        'Cooling off before the limit: above so many °C at most this share of rated power. Rising temperatures, falling shares.',
      ),
    stepHysteresisC: z.number().min(0).max(10).default(0.5).describe('A step ends once it is this much under, °C.'),
    minC: celsius.default(20).describe('Start of the operating range, °C.'),
    cold: z
      .enum(['derate', 'pause', 'flag'])
      .default('derate')
      .describe(
        'Under minC: `derate` to coldShare, `pause`, or only `flag` TEMPERATURE_LOW. A cold battery has more inner resistance; gentle discharge warms it, a pause would keep it cold.',
      ),
    coldShare: share.default(0.5).describe('Share of rated power under minC.'),
    missing: z
      .enum(['pause', 'ignore'])
      .default('pause')
      .describe('Without a temperature: `pause` (TEMPERATURE_MISSING), or `ignore` where the charger guards its own.'),
    maxAgeMs: ms(200, 3_600_000)
      .default(10_000)
      .describe('An older temperature counts as missing, ms. Heat moves slowly; power does not.'),
  })
  .refine((thermal) => isLadder(thermal), {
    message: 'steps must rise in aboveC and fall in share, and stay between minC and maxC',
  })

const tripSchema = z.strictObject({
  threshold: z.number().positive().max(2).optional().describe('Share of nominal.'),
  clearingMs: ms(0, 1_000_000).optional().describe('Beyond the threshold for so long, ms. 0: at the first sample.'),
})

const gridSchema = z
  .strictObject({
    nominalV: z
      .number()
      .positive()
      .max(50_000)
      .default(230)
      .describe('What gridVoltageV is at nominal, V (phase to neutral where that is measured).'),
    nominalHz: z
      .union([z.literal(50), z.literal(60)])
      .default(50)
      .describe('50 or 60 Hz. IEEE 1547 is written for 60; 50 keeps the proportion.'),
    category: z
      .enum(CATEGORIES)
      .default('III')
      .describe('Abnormal operating performance category of IEEE 1547-2018, clause 6.4.1.'),
    trip: z
      .partialRecord(z.enum(TRIP_FUNCTIONS), tripSchema)
      .default({})
      .describe(
        'Settings that the grid operator gave, by function (OV2 OV1 UV1 UV2 OF2 OF1 UF1 UF2); default: tables 11–13 and 18.',
      ),
    enterServiceMs: ms(0, 3_600_000)
      .default(300_000)
      .describe(
        'After a trip voltage and frequency must have been inside table 4 for so long, ms (clause 4.10.3). 0: at once.',
      ),
    enterServiceRampMs: ms(0, 3_600_000)
      .default(300_000)
      .describe(
        'After a trip power comes back no faster than rated power over this time, ms (clause 4.10.3). 0: the ordinary ramp.',
      ),
    maxAgeMs: ms(200, 600_000).default(2_000).describe('An older voltage or frequency counts as not measured, ms.'),
    required: z
      .boolean()
      .default(false)
      .describe(
        'Whether discharge waits for voltage and frequency to be measured (GRID_NOT_MEASURED). Off: inverters have this protection themselves.',
      ),
  })
  .refine((grid) => areSane(tripSettings(grid)), {
    message: 'trip: 2 must lie outside 1, and over and under on their sides of nominal',
  })
  .refine((grid) => rideThrough(grid.category, tripSettings(grid)), {
    message: 'trip: an undervoltage limit is faster than the category must ride through (tables 14–16)',
  })

const obeySchema = z.strictObject({
  withinMs: ms(100, 600_000)
    .default(5_000)
    .describe(
      'Metered power must be at or under the limit so long after the command, ms. Chargers take seconds to apply an OCPP profile.',
    ),
  repeats: z
    .number()
    .int()
    .min(0)
    .max(10)
    .default(1)
    .describe('A limit that is not obeyed is sent again so often, then the transaction is stopped.'),
  stopWithinMs: ms(100, 600_000)
    .default(10_000)
    .describe(
      'A stop must have taken the power away within this, ms; else it is sent again and STOP_NOT_OBEYED is raised again, each time.',
    ),
  toleranceW: z
    .number()
    .min(0)
    .max(1_000_000)
    .default(100)
    .describe('Metered power may exceed the limit by this, W, …'),
  toleranceShare: z
    .number()
    .min(0)
    .max(0.5)
    .default(0.05)
    .describe('… or by this share of the limit, whichever is more.'),
  retryMs: ms(100, 600_000)
    .default(5_000)
    .describe('A command that nobody accepted is sent again after this, ms; doubling up to a minute.'),
})

export const guardConfigSchema = z
  .strictObject({
    telemetry: telemetrySchema.prefault({}),
    thermal: thermalSchema.prefault({}),
    grid: gridSchema.prefault({}),
    obey: obeySchema.prefault({}),
    rampUpWPerS: z
      .number()
      .positive()
      .max(10_000_000)
      .default(1_000)
      .describe('The limit rises no faster, W/s: no sudden currents. Down is always at once.'),
    rampStepMs: ms(50, 60_000)
      .default(1_000)
      .describe('Limits that rise, or follow demand down, are sent no more often, ms.'),
    contactorDwellMs: ms(0, 3_600_000)
      .default(30_000)
      .describe(
        'After a contactor switched, a start waits so long, ms: wear and heat. Opening is never delayed. 0: no dwell.',
      ),
    pauseOpensContactor: z
      .boolean()
      .default(true)
      .describe(
        'Whether an EVSE that does not report its contactor is taken to switch it at every pause (limit 0) and start. One that reports it closed may go on after a pause without the dwell.',
      ),
    ratedTolerance: z
      .number()
      .min(0)
      .max(0.5)
      .default(0.02)
      .describe(
        'Metered exports above rated power by more than this share stop the transaction. Settlement takes 2 % too.',
      ),
    stopLockoutMs: ms(0, 86_400_000)
      .default(900_000)
      .describe(
        'A stopped EVSE whose power is gone may discharge again after this, ms. 0: only when an operator resets it.',
      ),
    plcMinSnrDb: z
      .number()
      .min(0)
      .max(60)
      .default(10)
      .describe('Under this the power line link to the car is flagged PLC_LINK_DEGRADED, dB.'),
    plcHysteresisDb: z.number().min(0).max(20).default(2).describe('The flag goes when it is this much above, dB.'),
    lateMs: ms(5, 10_000)
      .default(50)
      .describe('A guard that is woken later than this raises GUARD_LATE, ms: the process was busy or stopped.'),
    lateClearMs: ms(0, 3_600_000).default(10_000).describe('GUARD_LATE goes after so long without another delay, ms.'),
  })
  .refine((config) => (config.rampUpWPerS * config.rampStepMs) / 1_000 >= 1, {
    message: 'rampUpWPerS × rampStepMs must be a watt at least',
  })

export type GuardConfig = Readonly<z.infer<typeof guardConfigSchema>>

/** The configuration as one EVSE's guard uses it. */
export interface GuardRules extends GuardConfig {
  /** Of the descriptor on L1, W. */
  readonly ratedW: number
  readonly trips: TripSettings
}

export function guardRules(config: GuardConfig, ratedW: number): GuardRules {
  if (!Number.isFinite(ratedW) || ratedW <= 0) throw new RangeError(`rated power ${ratedW} W`)
  return { ...config, ratedW, trips: tripSettings(config.grid) }
}

interface GivenTrips {
  readonly category: Category
  readonly trip: Readonly<
    Partial<Record<TripFunction, { threshold?: number | undefined; clearingMs?: number | undefined }>>
  >
}

function tripSettings(grid: GivenTrips): TripSettings {
  const defaults = DEFAULT_TRIPS[grid.category]
  const merged = TRIP_FUNCTIONS.map((name) => {
    const given = grid.trip[name]
    return [
      name,
      {
        threshold: given?.threshold ?? defaults[name].threshold,
        clearingMs: given?.clearingMs ?? defaults[name].clearingMs,
      },
    ] as const
  })
  return Object.fromEntries(merged) as Record<TripFunction, TripSettings[TripFunction]>
}

function areSane(trips: TripSettings): boolean {
  const at = (name: TripFunction): number => trips[name].threshold
  const { minVoltage, maxVoltage, minFrequency, maxFrequency } = ENTER_SERVICE
  return (
    at('OV2') >= at('OV1') &&
    at('OV1') >= maxVoltage &&
    at('UV1') <= minVoltage &&
    at('UV2') <= at('UV1') &&
    at('OF2') >= at('OF1') &&
    at('OF1') >= maxFrequency &&
    at('UF1') <= minFrequency &&
    at('UF2') <= at('UF1')
  )
}

/** Whether the inverter's duty to go on through a sag comes before each trip. In steps of a hundredth of nominal. */
function rideThrough(category: Category, trips: TripSettings): boolean {
  for (let percent = 30; percent < 88; percent++) {
    const voltage = percent / 100
    const due = [trips.UV1, trips.UV2].filter(({ threshold }) => voltage < threshold).map((trip) => trip.clearingMs)
    if (Math.min(...due) < (mandatoryMs(category, voltage) ?? 0)) return false
  }
  return true
}

function isLadder(thermal: {
  minC: number
  maxC: number
  steps: readonly { aboveC: number; share: number }[]
}): boolean {
  let [temperature, power] = [thermal.minC, 1]
  for (const step of thermal.steps) {
    if (step.aboveC <= temperature || step.share >= power) return false
    temperature = step.aboveC
    power = step.share
  }
  return temperature < thermal.maxC
}
