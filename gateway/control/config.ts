import { z } from 'zod'
import { type GuardConfig, guardConfigSchema } from '../../evse/guard/guardConfig.ts'
import { parseConfig } from '../../runtime/config.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { EdgeEvse } from '../fleet/directory.ts'

/** Keys of `guard`, as many as differ. Checked together with what they are laid over. */
const overrides = z.record(z.string(), z.unknown())

export const controlConfigSchema = z.strictObject({
  guard: guardConfigSchema.prefault({}).describe('Limits of every EVSE.'),
  bySource: z
    .strictObject({
      mqtt: overrides.optional().describe('Keys of `guard` for EVSEs whose telemetry comes by MQTT.'),
      modbus: overrides.optional().describe('… by Modbus.'),
      ocpp: overrides
        .optional()
        .describe(
          '… by OCPP, which has no message that is fast enough for 200 ms: telemetry.staleMs must be given here or for the EVSE.',
        ),
    })
    .default({})
    .describe('Limits of all EVSEs whose telemetry comes this way, over `guard`.'),
  evses: z.record(z.string(), overrides).default({}).describe('Limits of single EVSEs by name, over both.'),
  commandTimeoutMs: z
    .number()
    .int()
    .min(100)
    .max(120_000)
    .default(10_000)
    .describe('A command that is not answered by then counts as not delivered, ms.'),
  tickMs: z
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(10)
    .describe(
      'How finely time is cut: a deadline is noticed this much late at most, ms. Below 5 costs more than it gives.',
    ),
  pauseOnStop: z
    .boolean()
    .default(true)
    .describe('Whether discharging EVSEs are paused when the gateway stops: nobody would guard them.'),
})
export type ControlConfig = Readonly<z.infer<typeof controlConfigSchema>>

/**
 * The limits of one EVSE: its own over its source's over everybody's.
 * @throws BackfeedError CONFIG_INVALID
 */
export function guardConfigOf(config: ControlConfig, evse: Pick<EdgeEvse, 'name' | 'telemetry'>): GuardConfig {
  const bySource = evse.telemetry === 'none' ? undefined : config.bySource[evse.telemetry]
  const own = config.evses[evse.name]
  if (evse.telemetry === 'ocpp' && !setsStaleMs(bySource) && !setsStaleMs(own)) {
    throw new BackfeedError(
      'CONFIG_INVALID',
      `control: ${evse.name} has its telemetry from OCPP, which knows nothing as fast as 200 ms: set control.bySource.ocpp.telemetry.staleMs, or control.evses.${evse.name}.telemetry.staleMs`,
      { exitCode: ExitCode.usage, details: { evse: evse.name } },
    )
  }
  if (bySource === undefined && own === undefined) return config.guard
  const merged = overlay(overlay(config.guard, bySource ?? {}), own ?? {})
  return parseConfig(guardConfigSchema, merged, `control: limits of ${evse.name}`)
}

function setsStaleMs(limits: Record<string, unknown> | undefined): boolean {
  return isTable(limits?.telemetry) && limits.telemetry.staleMs !== undefined
}

function overlay(
  base: Readonly<Record<string, unknown>>,
  over: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = result[key]
    result[key] = isTable(value) && isTable(below) ? overlay(below, value) : value
  }
  return result
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
