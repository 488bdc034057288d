import { z } from 'zod'

export const clockConfigSchema = z.strictObject({
  source: z
    .enum(['ntp', 'system'])
    .default('system')
    .describe(
      '`ntp`: `servers` are asked. `system`: the host keeps its clock (chrony, gpsd, PTP), and is trusted in that.',
    ),
  servers: z
    .array(z.string().regex(/^(\[[0-9A-Fa-f:.]+\]|[^:\s]+)(:\d{1,5})?$/, 'host, host:port or [v6]:port'))
    .max(8)
    .default([])
    .describe('NTP servers; with source = "ntp". Of three or more, most must agree.'),
  limitMs: z.number().min(1).max(1_000).default(50).describe('A clock further off is not signed by, ms.'),
  pollSeconds: z
    .number()
    .min(1)
    .max(3_600)
    .default(64)
    .describe('Between checks, s. A quarter of it while the clock is not trusted.'),
  driftPpm: z
    .number()
    .min(0)
    .max(500)
    .default(20)
    .describe(
      'What the oscillator may gain or lose, 10^-6; without a source trust ends when this could make limitMs: 20 → 41 min.',
    ),
  maxUncheckedSeconds: z
    .number()
    .min(1)
    .max(30 * 86_400)
    .default(86_400)
    .describe('Trust ends when the source was not reached for so long, s, if driftPpm does not end it before.'),
  samples: z
    .number()
    .int()
    .min(1)
    .max(8)
    .default(4)
    .describe('Questions to each server at a check; the fastest answer counts.'),
  timeoutMs: z.number().int().min(50).max(30_000).default(2_000).describe('For an answer, ms.'),
  maxRoundTripMs: z
    .number()
    .min(1)
    .max(2_000)
    .default(200)
    .describe('Slower answers say too little, ms: half of it is the most that a reading is off by.'),
})
export type ClockConfig = z.infer<typeof clockConfigSchema>

/** @returns what is wrong between keys; for the schema that holds this section. */
export function clockProblem({ source, servers }: ClockConfig): string | undefined {
  if (source === 'ntp' && servers.length === 0) return 'source = "ntp" needs servers'
  return source === 'system' && servers.length > 0 ? 'servers are asked with source = "ntp" only' : undefined
}
