import { z } from 'zod'
import { MAX_BODY_BYTES, MAX_SECRETS, MAX_WEBHOOKS } from './limits.ts'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'is no URL'
  const { protocol, hostname, username, password, hash } = new URL(text)
  if (protocol !== 'https:' && protocol !== 'http:') return 'must be https'
  if (protocol === 'http:' && !LOOPBACK.test(hostname)) return 'must be https: http is for this machine alone'
  if (username !== '' || password !== '') return 'must not hold a password: use authTokenFile'
  return hash === '' ? undefined : 'must not have a fragment'
}

/** One `[[webhooks]]`, for a process that tells these types of events. */
export function webhookSchema<const Type extends string>(types: readonly [Type, ...Type[]]) {
  return z.strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, '1 to 32 small letters, digits and hyphens')
      .describe('In status, logs and metrics; each once. What waits is kept by it: another name is another queue.'),
    url: z
      .string()
      .superRefine((text, context) => {
        const message = urlProblem(text)
        if (message !== undefined) context.addIssue({ code: 'custom', message })
      })
      .describe('Where events are posted. https, or http on this machine. Redirects are not followed.'),
    secretFiles: z
      .array(z.string().min(1))
      .min(1)
      .max(MAX_SECRETS)
      .describe('Files with a secret (`whsec_` and base64) each, mode 600. All sign, so that one can replace another.'),
    authTokenFile: z
      .string()
      .min(1)
      .optional()
      .describe('File with a token that is sent as `Authorization: Bearer`, mode 600. Absent: none is sent.'),
    events: z.array(z.enum(types)).min(1).optional().describe('Types that are sent. Absent: all.'),
    timeoutMs: z
      .number()
      .int()
      .min(10)
      .max(30_000)
      .default(2_000)
      .describe('For an acknowledgement; without one the event is sent again, ms.'),
    firstDelayMs: z
      .number()
      .int()
      .min(10)
      .max(3_600_000)
      .default(1_000)
      .describe('After a first failure; doubles, and up to half as much again is added by chance, ms.'),
    maxDelayMs: z
      .number()
      .int()
      .min(10)
      .max(86_400_000)
      .default(900_000)
      .describe(
        'Longest pause between tries, also after an answer 4xx, ms. A longer Retry-After is obeyed up to a day.',
      ),
    maxBytes: z
      .number()
      .int()
      .min(2 * MAX_BODY_BYTES)
      .default(67_108_864)
      .describe('Events that wait for this receiver, bytes on disk.'),
  })
}

export type WebhookConfig = z.infer<ReturnType<typeof webhookSchema<string>>>

/** All `[[webhooks]]` of a process. */
export function webhooksSchema<Schema extends z.ZodType<WebhookConfig>>(schema: Schema) {
  return z
    .array(schema)
    .max(MAX_WEBHOOKS)
    .default([])
    .superRefine((webhooks, context) => {
      for (const [i, { name }] of webhooks.entries()) {
        if (webhooks.findIndex((other) => other.name === name) === i) continue
        context.addIssue({ code: 'custom', path: [i, 'name'], message: `${name} is there twice` })
      }
    })
}
