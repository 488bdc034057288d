import { z } from 'zod'

const port = z.number().int().min(0).max(65_535)

export const OCPP_VERSIONS = ['ocpp2.0.1', 'ocpp2.1', 'ocpp1.6'] as const
export type OcppVersion = (typeof OCPP_VERSIONS)[number]

/**
 * 1: password over an open line, for a line that is protected by other means. 2: password over TLS. 3: TLS with a client certificate whose
 * CN is the station's id (OCPP 2.0.1 part 2, A00).
 */
export type SecurityProfile = 1 | 2 | 3
const securityProfile = z.union([z.literal(1), z.literal(2), z.literal(3)])

/** A station's id is the last part of its URL, the name of its basic auth and the CN of its certificate. */
const stationId = z.string().regex(/^[A-Za-z0-9*\-_=:+|@.]{1,48}$/, 'an identifierString of at most 48 characters')

const variableSchema = z.strictObject({
  component: z.string().min(1).max(50).describe('As the station names it, such as SampledDataCtrlr.'),
  instance: z.string().max(50).optional().describe('Of the component.'),
  variable: z
    .string()
    .min(1)
    .max(50)
    .describe('OCPP 1.6 has configuration keys alone: this is the key, the component is not sent.'),
  variableInstance: z.string().max(50).optional().describe('Of the variable.'),
  value: z.string().max(1_000).describe('As text.'),
})

const stationSchema = z.strictObject({
  id: stationId.describe('The last part of its URL, the name of its basic auth and the CN of its certificate.'),
  securityProfile: securityProfile
    .optional()
    .describe('Default: that of the section. A station of profile 1 or 2 may also come by TLS.'),
  passwordHash: z
    .string()
    .optional()
    .describe(
      'scrypt$…, as `backfeed gateway hash-password` prints it. Or in passwordsFile. Not needed for profile 3.',
    ),
  discharge: z
    .enum(['magnitude', 'negative'])
    .default('magnitude')
    .describe(
      'What a limit means to a 1.6 or 2.0.1 station, which have no set-point for discharge. magnitude: it bounds power either way; negative: discharge is a limit below zero. OCPP 2.1 stations get set-points.',
    ),
  variables: z.array(variableSchema).max(64).default([]).describe('Set at its boot, after those of the section.'),
})

export type StationConfig = z.infer<typeof stationSchema>

export const ocppConfigSchema = z.strictObject({
  host: z
    .string()
    .default('127.0.0.1')
    .describe('Address to listen on. Profile 1 sends passwords in the open: keep it off public networks.'),
  port: port.default(9_000).describe('wss when tls is there, else ws. 0: a free port.'),
  plainPort: port.optional().describe('Beside TLS, ws for stations of profile 1. Absent: none. 0: a free port.'),
  tls: z
    .strictObject({
      certificateFile: z.string().describe('PEM, the whole chain.'),
      keyFile: z.string().describe('PEM, mode 600.'),
      clientCaFile: z
        .string()
        .optional()
        .describe('PEM of the authorities that sign client certificates. Needed for profile 3.'),
    })
    .optional(),
  securityProfile: securityProfile.default(2).describe('Least profile of stations that name none of their own.'),
  passwordsFile: z.string().optional().describe('Lines `station hash`, mode 600. Read at start.'),
  stations: z
    .array(stationSchema)
    .max(16_384)
    .default([])
    .describe('Who may connect. Every station of an EVSE must be here.'),
  protocols: z
    .array(z.enum(OCPP_VERSIONS))
    .min(1)
    .default([...OCPP_VERSIONS])
    .describe('In the order in which they are preferred where a station offers several.'),
  heartbeatS: z.number().int().min(10).max(86_400).default(300).describe('Told to stations at boot, s.'),
  pingS: z
    .number()
    .int()
    .min(0)
    .max(3_600)
    .default(30)
    .describe('WebSocket ping; a station that missed the one before is cut, s. 0: none.'),
  callTimeoutMs: z.number().int().min(100).max(120_000).default(10_000).describe('For a station to answer a call, ms.'),
  maxConnections: z
    .number()
    .int()
    .min(1)
    .max(65_536)
    .default(2_048)
    .describe('Open connections, also such as are not let in yet.'),
  maxMessageBytes: z
    .number()
    .int()
    .min(4_096)
    .max(16_777_216)
    .default(262_144)
    .describe('A longer message ends the connection (1009), bytes.'),
  maxBadMessages: z
    .number()
    .int()
    .min(0)
    .max(1_000)
    .default(10)
    .describe('In a row, that are no OCPP: then the connection ends. 0: at the first.'),
  maxAttempts: z
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(10)
    .describe(
      'Wrong passwords or certificates a minute for one station from one host. A host as a whole may have eight times as many.',
    ),
  authorize: z
    .enum(['known', 'all'])
    .default('known')
    .describe(
      'Whose token is accepted. known: those of contracts of the lane. all: everybody, such as in a garage; nobody but known ones is paid.',
    ),
  acceptIntervals: z
    .boolean()
    .default(false)
    .describe(
      'Take Energy.Active.Export.Interval from stations without an export register, and add it up. Less safe: what a lost message held is lost, and a gap is ERR_DATA_INCONSISTENCY.',
    ),
  clockLimitMs: z
    .number()
    .int()
    .min(50)
    .max(600_000)
    .default(2_000)
    .describe(
      'A station whose clock is off by more is flagged CLOCK_UNTRUSTED, ms. Many stations write whole seconds, and messages travel: under 2 s says little.',
    ),
  sampleIntervalS: z
    .number()
    .int()
    .min(0)
    .max(3_600)
    .default(60)
    .describe(
      'Stations are told at boot to send export register and state of charge so often during a transaction, s. 0: they stay as they are.',
    ),
  alignedIntervalS: z
    .number()
    .int()
    .min(0)
    .max(86_400)
    .default(900)
    .describe(
      'And at the full quarter hours and so on by the clock, which is where settlement periods begin, s. 0: they stay as they are.',
    ),
  variables: z.array(variableSchema).max(64).default([]).describe('More to be set at every boot.'),
  maxOfflineS: z
    .number()
    .int()
    .min(0)
    .max(86_400)
    .default(60)
    .describe('OCPP 2.1: a station that is cut off so long falls back to Idle, s. 0: it goes on as last told.'),
  nominalVoltageV: z
    .number()
    .min(50)
    .max(1_500)
    .default(230)
    .describe('Of three phases, the one furthest from this is told to the fail-safe, V.'),
  snrVariables: z
    .array(z.string().min(1).max(50))
    .max(16)
    .default(['PlcSnr', 'SignalToNoise', 'SignalToNoiseRatio', 'SNR'])
    .describe(
      'Names under which NotifyEvent tells the signal-to-noise ratio of the power line link, dB. OCPP has no standard one.',
    ),
})

export type OcppConfig = Readonly<z.infer<typeof ocppConfigSchema>>
