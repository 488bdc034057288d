import { z } from 'zod'
import { webhookSchema, webhooksSchema } from '../runtime/webhooks/config.ts'

export const BATCH_EVENT_TYPES = ['batch.posted.v1', 'batch.final.v1', 'batch.reverted.v1'] as const

/** `[[webhooks]]` of a sequencer. */
export const batchWebhooksSchema = webhooksSchema(
  webhookSchema(BATCH_EVENT_TYPES).extend({
    startAt: z
      .enum(['now', 'first'])
      .default('now')
      .describe('Where a webhook that was never told anything begins: with what happens from now on, or at batch 1.'),
  }),
)
export type BatchWebhookConfig = z.infer<typeof batchWebhooksSchema>[number]
