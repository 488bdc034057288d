import { z } from 'zod'
import { ClockCheck, type ClockCheckSettings } from '../evse/clock/clockCheck.ts'
import { clockConfigSchema, clockProblem } from '../evse/clock/config.ts'
import type { Fleet } from './fleet/fleet.ts'

/** `[clock]`: what time it is, and how that is checked. */
export const gatewayClockSchema = clockConfigSchema
  .extend({
    source: z
      .enum(['system', 'ntp', 'l1'])
      .default('system')
      .describe(
        "`ntp`: `servers` are asked. `system`: the host keeps its clock (chrony, gpsd, PTP), and is trusted in that. `l1`: the newest block's time, for devnets whose clock is moved.",
      ),
  })
  .superRefine((clock, context) => {
    const { source } = clock
    const message = clockProblem({ ...clock, source: source === 'l1' ? 'system' : source })
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['servers'], message })
  })
export type GatewayClockConfig = z.infer<typeof gatewayClockSchema>

/** What time it is to everything in the gateway that compares with L1's time or with devices' clocks. */
export interface GatewayClock {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  /** Steady, milliseconds. */
  readonly monotonicMs: () => number
}

export function gatewayClock(
  { source }: GatewayClockConfig,
  fleet: () => Pick<Fleet, 'head'> | undefined,
): GatewayClock {
  const monotonicMs = (): number => performance.now()
  if (source !== 'l1') return { now: () => Date.now(), monotonicMs }
  // The block's own time and nothing added to it: the sequencer of such a devnet goes by the same.
  const now = (): number => {
    const seconds = fleet()?.head?.timestamp
    return seconds === undefined ? Date.now() : seconds * 1_000
  }
  return { now, monotonicMs }
}

/** Undefined: L1's clock is gone by, which has no source to be compared with. */
export function openClockCheck(
  config: GatewayClockConfig,
  settings: Omit<ClockCheckSettings, 'config' | 'source'>,
): ClockCheck | undefined {
  const { source, ...rules } = config
  return source === 'l1' ? undefined : new ClockCheck({ ...settings, config: { ...rules, source } })
}
