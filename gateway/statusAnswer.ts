import { z } from 'zod'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import type { GatewayStatus } from './status.ts'

const fact = z.union([z.string(), z.number()])
const problemSchema = z.object({ code: z.string(), message: z.string(), evse: z.string().optional() })
const statusSchema = z.object({
  nowMs: z.number(),
  startedAtMs: z.number(),
  healthy: z.boolean(),
  sources: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['UP', 'DEGRADED', 'DOWN']),
      figures: z.record(z.string(), fact),
      problems: z.array(
        problemSchema.transform(({ evse, ...rest }) => ({ ...rest, ...(evse !== undefined && { evse }) })),
      ),
    }),
  ),
  evses: z.array(
    z.object({
      name: z.string(),
      lane: z.number(),
      slot: z.number(),
      facts: z.record(z.string(), fact),
      problems: z.array(z.string()),
    }),
  ),
})

/** What `/v1/status` answered. @throws BackfeedError GATEWAY_UNREACHABLE when it is no gateway that answers */
export function parseGatewayStatus(answer: unknown): GatewayStatus {
  const parsed = statusSchema.safeParse(answer)
  if (parsed.success) return parsed.data
  throw new BackfeedError('GATEWAY_UNREACHABLE', 'what answers there is no gateway', { exitCode: ExitCode.usage })
}
