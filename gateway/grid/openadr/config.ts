import { z } from 'zod'
import { sourceNameSchema } from '../sourceName.ts'

/** One of `[[grid.openadr]]`: an OpenADR 3 VTN that we are a VEN of. */
export const openadrConfigSchema = z.strictObject({
  name: sourceNameSchema,
  /** Base of the API: `https://vtn.example/openadr3/3.1.0`. http: this machine alone. */
  url: z.url({ protocol: /^https?$/ }),
  /** OAuth2 client credentials. Absent: requests carry no token. */
  auth: z
    .strictObject({
      /** Default: `/auth/token` under `url`. */
      tokenUrl: z.url({ protocol: /^https?$/ }).optional(),
      clientId: z.string().min(1),
      /** Holds the client secret, mode 600. */
      clientSecretFile: z.string().min(1),
      /** Space-separated; absent: the server's default. */
      scope: z.string().min(1).optional(),
      /** How the secret is sent: in the form, or as HTTP basic authentication. */
      method: z.enum(['form', 'basic']).default('form'),
    })
    .optional(),
  /** Names or ids of programs that count; empty: every program that the VTN shows us. */
  programs: z.array(z.string().min(1)).default([]),
  /** Names of groups, zones, VENs that we are. An event for none of them is not ours; one without targets is everybody's. Empty: all are ours. */
  targets: z.array(z.string().min(1)).default([]),
  /** Payload types that price a discharge, the most trusted first. `PRICE` is what energy out of the grid costs: only where both are the same. */
  priceTypes: z
    .array(z.enum(['EXPORT_PRICE', 'PRICE']))
    .min(1)
    .default(['EXPORT_PRICE']),
  /** Of prices; others are not used. ISO 4217. */
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .default('USD'),
  /** Whether a priced interval is a grid event (`pricing = "event-only"`). False for a VTN that prices every hour of the day. */
  pricesOpenGate: z.boolean().default(true),
  /** What a positive DISPATCH_SETPOINT means, which the standard leaves to the program. `ignore`: set-points are not followed. */
  setpointSign: z.enum(['ignore', 'export-positive', 'import-positive']).default('ignore'),
  /** Between polls, seconds. */
  pollSeconds: z.number().int().min(1).max(86_400).default(60),
  /** Without an answer for so long the source counts as down, seconds. */
  staleSeconds: z.number().int().min(10).max(604_800).default(1_800),
  /** Of one request, milliseconds. */
  timeoutMs: z.number().int().min(100).max(120_000).default(30_000),
})
export type OpenadrConfig = z.infer<typeof openadrConfigSchema>
