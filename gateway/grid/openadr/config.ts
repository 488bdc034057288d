import { z } from 'zod'
import { staleSecondsSchema, timeoutMsSchema } from '../askConfig.ts'
import { sourceNameSchema } from '../sourceName.ts'

/** One of `[[grid.openadr]]`: an OpenADR 3 VTN that we are a VEN of. */
export const openadrConfigSchema = z.strictObject({
  name: sourceNameSchema.describe('Unique among the sources of the grid.'),
  url: z
    .url({ protocol: /^https?$/ })
    .describe('Base of the API: `https://vtn.example/openadr3/3.1.0`. http: this machine alone.'),
  /** OAuth2 client credentials. Absent: requests carry no token. */
  auth: z
    .strictObject({
      tokenUrl: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('Default: `/auth/token` under `url`.'),
      clientId: z.string().min(1).describe('As the VTN gave it out.'),
      clientSecretFile: z.string().min(1).describe('Holds the client secret, mode 600.'),
      scope: z.string().min(1).optional().describe("Space-separated; absent: the server's default."),
      method: z
        .enum(['form', 'basic'])
        .default('form')
        .describe('How the secret is sent: in the form, or as HTTP basic authentication.'),
    })
    .optional(),
  programs: z
    .array(z.string().min(1))
    .default([])
    .describe('Names or ids of programs that count; empty: every program that the VTN shows us.'),
  targets: z
    .array(z.string().min(1))
    .default([])
    .describe(
      "Names of groups, zones, VENs that we are. An event for none of them is not ours; one without targets is everybody's. Empty: all are ours.",
    ),
  priceTypes: z
    .array(z.enum(['EXPORT_PRICE', 'PRICE']))
    .min(1)
    .default(['EXPORT_PRICE'])
    .describe(
      'Payload types that price a discharge, the most trusted first. `PRICE` is what energy out of the grid costs: only where both are the same.',
    ),
  currency: z
    .string()
    .regex(/^[A-Z]{3}$/)
    .default('USD')
    .describe('Of prices; others are not used. ISO 4217.'),
  pricesOpenGate: z
    .boolean()
    .default(true)
    .describe(
      'Whether a priced interval is a grid event (`pricing = "event-only"`). False for a VTN that prices every hour of the day.',
    ),
  setpointSign: z
    .enum(['ignore', 'export-positive', 'import-positive'])
    .default('ignore')
    .describe(
      'What a positive DISPATCH_SETPOINT means, which the standard leaves to the program. `ignore`: set-points are not followed.',
    ),
  pollSeconds: z.number().int().min(1).max(86_400).default(60).describe('Between polls, seconds.'),
  staleSeconds: staleSecondsSchema(1_800),
  timeoutMs: timeoutMsSchema,
})
export type OpenadrConfig = z.infer<typeof openadrConfigSchema>
