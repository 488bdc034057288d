import { z } from 'zod'
import { brokerConfigSchema } from '../../evse/mqtt/config.ts'

/** `[mqtt]`: a broker through which EVSEs send telemetry and signed records. Absent: the source is off. */
export const mqttConfigSchema = brokerConfigSchema.extend({
  clientId: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,48}$/, '1 to 48 letters, digits, dots, dashes, underscores')
    .default('backfeed-gateway')
    .describe(
      'Client ids at the broker are this with `-records` and `-live` behind it; two gateways must not share it.',
    ),
  records: z.boolean().default(true).describe('Whether signed records are taken.'),
  commandTimeoutMs: z
    .number()
    .int()
    .min(50)
    .max(60_000)
    .default(2_000)
    .describe('How long an EVSE may take to answer a command, milliseconds. 50 to 60 000.'),
})
export type MqttConfig = z.infer<typeof mqttConfigSchema>
