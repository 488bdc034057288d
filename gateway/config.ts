import { z } from 'zod'
import { deliveryConfigSchema } from '../evse/delivery/config.ts'
import { sequencerAddressSchema } from '../evse/delivery/targets.ts'
import { meteringConfigSchema } from '../evse/metering/config.ts'
import { l1ConfigSchema } from '../l1/client.ts'
import { contractsConfigSchema } from '../l1/contracts.ts'
import { finalitySchema } from '../l1/finality.ts'
import { LOG_LEVELS } from '../runtime/log.ts'
import { gatewayClockSchema } from './clock.ts'
import { controlConfigSchema } from './control/config.ts'
import { fleetConfigSchema } from './fleet/config.ts'
import { gridConfigSchema } from './grid/config.ts'
import { MAX_GATEWAY_LANES } from './limits.ts'
import { modbusConfigSchema } from './modbus/config.ts'
import { mqttConfigSchema } from './mqtt/config.ts'
import { ocppConfigSchema } from './ocpp/config.ts'
import { sessionWebhooksSchema } from './webhooks/config.ts'

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
  clock: gatewayClockSchema.prefault({}),
  fleet: fleetConfigSchema.prefault({}),
  sequencers: z
    .array(
      z.strictObject({
        lane: z.number().int().min(0).max(0xffffffff).describe('On the rollup; each once.'),
        addresses: z
          .array(sequencerAddressSchema)
          .min(1)
          .max(8)
          .describe(
            'http(s) URLs or multiaddresses with a peer id. The first serves, the others take over while it does not.',
          ),
      }),
    )
    .max(MAX_GATEWAY_LANES)
    .default([])
    .describe('Who takes the records of a lane.'),
  outbox: z
    .strictObject({
      maxBytes: z
        .number()
        .int()
        .min(1_048_576)
        .default(4_294_967_296)
        .describe(
          'Records with and without receipts, bytes. Full of unanswered ones nothing new is signed; answered ones go first.',
        ),
    })
    .prefault({}),
  delivery: deliveryConfigSchema.prefault({}),
  metering: meteringConfigSchema.prefault({}),
  ocpp: ocppConfigSchema.optional(),
  mqtt: mqttConfigSchema.optional(),
  modbus: modbusConfigSchema.optional(),
  control: controlConfigSchema.prefault({}),
  grid: gridConfigSchema.optional(),
  webhooks: sessionWebhooksSchema.describe('Whom to tell of sessions.'),
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
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default('info').describe('Least that is logged.') }).prefault({}),
})
export type GatewayConfig = z.infer<typeof gatewayConfigSchema>
