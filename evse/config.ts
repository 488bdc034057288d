import { getAddress, isAddress } from 'viem'
import { z } from 'zod'
import { MAX_CAPACITY_WH, MAX_RATED_W, MAX_SLOTS } from '../protocol/limits.ts'
import { LOG_LEVELS } from '../runtime/log.ts'
import { clockConfigSchema, clockProblem } from './clock/config.ts'
import { deliveryConfigSchema } from './delivery/config.ts'
import { sequencerAddressSchema } from './delivery/targets.ts'
import { guardConfigSchema } from './guard/guardConfig.ts'
import { EVSE_OUTBOX_BYTES, MAX_CONTRACTS, MAX_OPERATORS, MAX_TARGETS } from './limits.ts'
import { meteringConfigSchema } from './metering/config.ts'
import { brokerConfigSchema } from './mqtt/config.ts'
import { EVSE_NAME } from './mqtt/topics.ts'
import { signerConfigSchema } from './signer/config.ts'

const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }), 'an address, 0x and 40 hex digits')
  .transform((text) => getAddress(text))
const u32 = z.number().int().min(0).max(0xffffffff)
const slot = z
  .number()
  .int()
  .min(0)
  .max(MAX_SLOTS - 1)

const identitySchema = z.strictObject({
  name: z
    .string()
    .regex(EVSE_NAME, '1 to 64 letters, digits, dots, dashes, underscores')
    .describe('In logs, topics and problems.'),
  chainId: z.number().int().min(1).describe('Of the chain that the rollup is on.'),
  rollup: address.describe('Address of the Rollup contract.'),
  lane: u32.describe('Lane of the EVSE.'),
  slot: slot.describe('Its slot in the lane.'),
  ratedW: z
    .number()
    .int()
    .min(1)
    .max(MAX_RATED_W - 1)
    .describe('Rated power, W, as registered.'),
  lat: z.number().min(-90).max(90).describe('Registered latitude, degrees, at most 7 decimals.'),
  lon: z.number().min(-180).max(180).describe('Registered longitude, degrees, at most 7 decimals.'),
  position: z
    .enum(['registered', 'reported'])
    .default('registered')
    .describe('`registered`: it is mounted there. `reported`: it signs only with a position fix inside the fence.'),
  radiusM: z.number().min(1).max(100_000).default(100).describe('Radius of its fence, m. With position = "reported".'),
  positionMaxAgeSeconds: z
    .number()
    .min(1)
    .max(86_400)
    .default(300)
    .describe('An older position fix counts as none, s. With position = "reported".'),
})

const inputSchema = z.strictObject({
  kind: z
    .enum(['stdio', 'unix', 'tcp', 'none'])
    .default('stdio')
    .describe('Where lines of the charger’s firmware come from (docs/evse.md). `none`: embedded as a library.'),
  path: z.string().min(1).optional().describe('Of the socket; with kind = "unix".'),
  host: z.enum(['127.0.0.1', '::1']).default('127.0.0.1').describe('Loopback; with kind = "tcp".'),
  port: z.number().int().min(0).max(65_535).default(9_466).describe('With kind = "tcp". 0: a free port.'),
})

/** What an EVSE knows of its deployment is here: the agent does not look at L1. */
export const evseConfigSchema = z
  .strictObject({
    dataDir: z
      .string()
      .min(1)
      .describe('Records that wait, the meter’s state: what must survive a restart. A folder of one process.'),
    evse: identitySchema,
    signer: signerConfigSchema,
    sequencers: z
      .array(sequencerAddressSchema)
      .max(MAX_TARGETS)
      .default([])
      .describe(
        'Where records go: https://host:port, or a libp2p address with its peer id. The first serves, the others take over.',
      ),
    operators: z
      .array(address)
      .min(1)
      .max(MAX_OPERATORS)
      .describe('Whose receipts are believed: the lane’s operator on L1. Two while it changes.'),
    contracts: z
      .array(
        z.strictObject({
          slot: slot.describe('Of the vehicle’s contract in the lane.'),
          capacityWh: z
            .number()
            .int()
            .min(1)
            .max(MAX_CAPACITY_WH - 1)
            .describe('Its battery, Wh, as enrolled.'),
          vehicleKey: z
            .string()
            .regex(/^0x[0-9a-fA-F]{128}$/, '0x and 128 hex digits, x ‖ y')
            .transform((text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex')))
            .optional()
            .describe(
              'The vehicle’s P-256 key of its contract on L1: what the car signs beside records is kept for disputes.',
            ),
        }),
      )
      .max(MAX_CONTRACTS)
      .default([])
      .describe('Vehicles whose battery is known; others name theirs in the `transaction` line.'),
    outbox: z
      .strictObject({
        maxBytes: z
          .number()
          .int()
          .min(1_000_000)
          .max(2 ** 40)
          .default(EVSE_OUTBOX_BYTES)
          .describe(
            'Of records kept, bytes; the oldest answered go first. The default holds over a year of quarter-hours.',
          ),
      })
      .prefault({}),
    delivery: deliveryConfigSchema.prefault({}),
    mqtt: brokerConfigSchema
      .optional()
      .describe('A gateway’s broker: commands from there, and records if no sequencer is named.'),
    clock: clockConfigSchema.prefault({}),
    metering: meteringConfigSchema.prefault({}),
    guard: guardConfigSchema.optional().describe('The fail-safe next to the hardware. Absent: off.'),
    input: inputSchema.prefault({}),
    http: z
      .strictObject({
        host: z.string().default('127.0.0.1').describe('Of health, status and metrics: loopback.'),
        port: z.number().int().min(0).max(65_535).default(9_467).describe('0: a free port.'),
      })
      .prefault({}),
    log: z.strictObject({ level: z.enum(LOG_LEVELS).default('info') }).prefault({}),
  })
  .superRefine((config, context) => {
    const say = (path: string[], message: string): void => context.addIssue({ code: 'custom', path, message })
    if (config.sequencers.length === 0 && config.mqtt === undefined) {
      say(['sequencers'], 'name a sequencer, or a gateway’s broker in [mqtt]')
    }
    if ((config.input.kind === 'unix') !== (config.input.path !== undefined)) {
      say(['input', 'path'], config.input.kind === 'unix' ? 'needed with kind = "unix"' : 'only with kind = "unix"')
    }
    const clock = clockProblem(config.clock)
    if (clock !== undefined) say(['clock', 'servers'], clock)
    for (const key of ['lat', 'lon'] as const) {
      const scaled = config.evse[key] * 1e7
      if (Math.abs(scaled - Math.round(scaled)) > 1e-3) say(['evse', key], 'at most 7 decimals')
    }
    const slots = config.contracts.map(({ slot: each }) => each)
    if (new Set(slots).size < slots.length) say(['contracts'], 'a slot is named twice')
  })
export type EvseConfig = z.infer<typeof evseConfigSchema>
