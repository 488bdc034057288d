/** What a guard tells people about, with what it means. Causes and cures: docs/gateway.md. */
export const FLAGS = {
  TELEMETRY_STALE: 'telemetry with a power in it is too old, or has not come long enough again: discharge pauses',
  THERMAL_LIMIT_REACHED: 'too hot: no discharge until it has cooled down',
  THERMAL_COOLING_OFF: 'warm: discharge is reduced by a step',
  TEMPERATURE_LOW: 'colder than the operating range',
  TEMPERATURE_MISSING: 'no temperature is known: discharge pauses',
  GRID_NOT_MEASURED: 'voltage or frequency of the grid is not known: discharge pauses',
  GRID_CEASED: 'voltage at which nothing may be fed in as long as it lasts (IEEE 1547-2018, tables 14–16)',
  GRID_TRIPPED:
    'voltage or frequency was outside its limit for too long (IEEE 1547-2018, tables 11–13, 18): waits to enter service',
  PLC_LINK_DEGRADED: 'signal-to-noise of the power line link to the car is low',
  COMMAND_NOT_OBEYED: 'metered power stays above the limit that was sent',
  STOP_NOT_OBEYED: 'the EVSE was told to stop and still feeds in: somebody must go there',
  COMMAND_UNANSWERED: 'a command was refused or did not reach the EVSE, and is sent again',
  RATED_POWER_EXCEEDED: 'metered exports were above rated power: the transaction was stopped',
  GUARD_LATE: 'the guard ran late, so it may have reacted late: the process was busy or stopped',
} as const

export type FlagCode = keyof typeof FLAGS

export const FLAG_CODES = Object.keys(FLAGS) as readonly FlagCode[]

/** Those under which nothing may be fed in. */
export const BLOCKING_FLAGS: readonly FlagCode[] = [
  'TELEMETRY_STALE',
  'THERMAL_LIMIT_REACHED',
  'TEMPERATURE_MISSING',
  'GRID_NOT_MEASURED',
  'GRID_CEASED',
  'GRID_TRIPPED',
  'STOP_NOT_OBEYED',
  'RATED_POWER_EXCEEDED',
]
