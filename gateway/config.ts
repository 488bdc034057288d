import { z } from 'zod'
import { l1ConfigSchema } from '../l1/client.ts'
import { contractsConfigSchema } from '../l1/contracts.ts'
import { finalitySchema } from '../l1/finality.ts'
import { LOG_LEVELS } from '../runtime/log.ts'
import { fleetConfigSchema } from './fleet/config.ts'

/** One file for the whole gateway. A section of a source that is absent switches the source off. */
export const gatewayConfigSchema = z.strictObject({
  dataDir: z
    .string()
    .min(1)
    .describe('Records that wait, transactions under way: what must survive a restart. A folder of one process.'),
  l1: l1ConfigSchema
    .extend({
      follow: finalitySchema
        .default({ kind: 'depth', blocks: 2 })
        .describe('How far behind the newest block descriptors are read. They change with half an hour’s notice.'),
      pollMs: z.number().int().min(10).max(600_000).default(12_000).describe('Between looks at L1, ms.'),
    })
    .prefault({}),
  contracts: contractsConfigSchema,
  fleet: fleetConfigSchema.prefault({}),
  http: z
    .strictObject({
      host: z
        .string()
        .default('127.0.0.1')
        .describe(
          'Of health, status, metrics and operators’ commands: loopback unless something in front of it guards it.',
        ),
      port: z.number().int().min(0).max(65_535).default(9_465).describe('0: a free port.'),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default('info') }).prefault({}),
})
export type GatewayConfig = z.infer<typeof gatewayConfigSchema>
