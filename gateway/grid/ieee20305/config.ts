import { z } from 'zod'
import { staleSecondsSchema, timeoutMsSchema } from '../askConfig.ts'
import { sourceNameSchema } from '../sourceName.ts'
import { FlowDirection } from './pricing.ts'

/** One of `[[grid.ieee20305]]`: a utility's IEEE 2030.5 server. */
export const ieee20305ConfigSchema = z
  .strictObject({
    name: sourceNameSchema.describe('Unique among the sources of the grid.'),
    url: z
      .url({ protocol: /^https?$/ })
      .describe('Where DeviceCapability is: `https://utility.example/dcap`. http: this machine alone.'),
    certFile: z
      .string()
      .min(1)
      .optional()
      .describe("Our certificate, PEM; the device's identity (LFDI, SFDI) is its SHA-256. Read anew at every poll."),
    keyFile: z.string().min(1).optional().describe('Its key, PEM, mode 600.'),
    caFile: z.string().min(1).optional().describe("Certificates that the server's must lead to, PEM."),
    ciphers: z
      .string()
      .min(1)
      .optional()
      .describe("OpenSSL's cipher list. Absent: Node's. The standard's suite: `ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0`."),
    checkServerName: z
      .boolean()
      .default(true)
      .describe(
        "Whether the server's certificate must carry its host name. False for servers with device certificates, which name none.",
      ),
    lfdi: z
      .string()
      .regex(/^[0-9a-fA-F]{40}$/)
      .transform((text) => text.toUpperCase())
      .optional()
      .describe('Of a device without certificate, 40 hex digits: for http.'),
    deviceCategory: z
      .string()
      .regex(/^[0-9a-fA-F]{1,8}$/)
      .default('00030000')
      .describe(
        'Kinds of device that events may be addressed to, hex bitmap (DeviceCategoryType). Default: electric vehicle and EVSE.',
      ),
    priceDirection: z
      .enum(['reverse', 'forward'])
      .default('reverse')
      .describe(
        'Of prices that are used: `reverse` pays for energy into the grid, `forward` charges for energy out of it.',
      ),
    currency: z
      .number()
      .int()
      .min(0)
      .max(999)
      .default(840)
      .describe(
        "ISO 4217 number of the settlement token's currency; tariffs in others are not used. Default: US dollar.",
      ),
    pollSeconds: z
      .number()
      .int()
      .min(1)
      .max(86_400)
      .default(60)
      .describe('Of resources without a pollRate, as lists of events are, seconds.'),
    minPollSeconds: z
      .number()
      .int()
      .min(1)
      .max(86_400)
      .default(10)
      .describe("Polls come no faster, whatever the server's pollRate says, seconds."),
    maxPollSeconds: z.number().int().min(1).max(86_400).default(3_600).describe('And no slower, seconds.'),
    staleSeconds: staleSecondsSchema(1_800),
    clockToleranceSeconds: z
      .number()
      .int()
      .min(1)
      .max(3_600)
      .default(5)
      .describe(
        "The server's clock may be off ours by so much before it is told (`GRID_CLOCK_OFF`), seconds. Events follow the server's clock.",
      ),
    timeoutMs: timeoutMsSchema,
  })
  .refine(
    ({ url, certFile, keyFile, caFile }) =>
      !url.startsWith('https:') || (certFile !== undefined && keyFile !== undefined && caFile !== undefined),
    'https needs certFile, keyFile and caFile',
  )
  .refine(({ url, lfdi }) => url.startsWith('https:') === (lfdi === undefined), 'lfdi is for http, and needed there')
export type Ieee20305Config = z.infer<typeof ieee20305ConfigSchema>

export function flowDirectionOf(config: Pick<Ieee20305Config, 'priceDirection'>): number {
  return FlowDirection[config.priceDirection]
}
