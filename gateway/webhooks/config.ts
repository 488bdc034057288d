import type { z } from 'zod'
import { webhookSchema, webhooksSchema } from '../../runtime/webhooks/config.ts'

export const SESSION_EVENT_TYPES = [
  'session.closed.v1',
  'session.settled.v1',
  'records.settled.v1',
  'record.refused.v1',
] as const

/** `[[webhooks]]` of a gateway. */
export const sessionWebhooksSchema = webhooksSchema(webhookSchema(SESSION_EVENT_TYPES))
export type SessionWebhookConfig = z.infer<typeof sessionWebhooksSchema>[number]
