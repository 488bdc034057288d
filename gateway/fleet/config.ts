import { z } from 'zod'
import { MAX_SLOTS } from '../../protocol/limits.ts'
import { ownMeteringSchema } from '../../evse/metering/config.ts'
import { signerConfigSchema } from '../../evse/signer/config.ts'
import { MAX_CONTRACTS, MAX_EVSES } from '../limits.ts'
import { meterKeyProblem } from '../ocmf/meterKey.ts'

const lane = z.number().int().min(0).max(0xffffffff)
const slot = z
  .number()
  .int()
  .min(0)
  .max(MAX_SLOTS - 1)

/** `[[fleet.evses]]`: one EVSE. In a CSV file each key is a column, `signer.keyFile` one of a table. */
export const evseEntrySchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, '1 to 64 letters, digits, dots, dashes, underscores')
      .describe('Unique; part of topics, logs and metrics.'),
    lane: lane.describe('Of the rollup, in which it is registered.'),
    slot: slot.describe('Its slot in the lane.'),
    station: z
      .string()
      .min(1)
      .max(48)
      .optional()
      .describe("Identity of its charging station, as in the WebSocket's path. Absent: it does not speak OCPP."),
    evseId: z
      .number()
      .int()
      .min(1)
      .max(1_000)
      .default(1)
      .describe("Its number at the station, from 1. In OCPP 1.6 the connector's."),
    signer: signerConfigSchema
      .optional()
      .describe('Where its key is. Absent: it signs by itself and sends signed records.'),
    meterKey: z
      .string()
      .superRefine((text, context) => {
        const problem = meterKeyProblem(text)
        if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
      })
      .optional()
      .describe(
        'Public key of its meter: PEM, or hex or base64 of DER SubjectPublicKeyInfo or of the raw point, as its label or OCPP’s publicKey has it.',
      ),
    signedValues: z
      .enum(['refuse', 'check', 'ignore'])
      .default('ignore')
      .describe(
        '`refuse`: a meter value that is unsigned or badly signed is not taken. `check`: taken and flagged. `ignore`: not looked at.',
      ),
    telemetry: z
      .enum(['mqtt', 'modbus', 'ocpp', 'none'])
      .default('none')
      .describe('Where its fail-safe telemetry comes from; `none`: the gateway does not guard it.'),
    metering: ownMeteringSchema.optional().describe('Over `[metering]`, for this EVSE alone.'),
    position: z
      .enum(['registered', 'surveyed', 'mqtt'])
      .default('registered')
      .describe(
        '`registered`: it is mounted where its descriptor on L1 says. `surveyed`: at `lat` and `lon`. `mqtt`: it reports its position.',
      ),
    lat: z.number().min(-90).max(90).optional().describe('Degrees; with position = "surveyed".'),
    lon: z.number().min(-180).max(180).optional().describe('Degrees; with position = "surveyed".'),
  })
  .superRefine((evse, context) => {
    const isSurveyed = evse.position === 'surveyed'
    for (const key of ['lat', 'lon'] as const) {
      if ((evse[key] !== undefined) === isSurveyed) continue
      const message = isSurveyed ? 'needed with position = "surveyed"' : 'only with position = "surveyed"'
      context.addIssue({ code: 'custom', path: [key], message })
    }
    if (evse.signedValues === 'refuse' && evse.meterKey === undefined) {
      context.addIssue({ code: 'custom', path: ['meterKey'], message: 'needed with signedValues = "refuse"' })
    }
    if (evse.telemetry === 'ocpp' && evse.station === undefined) {
      context.addIssue({ code: 'custom', path: ['station'], message: 'needed with telemetry = "ocpp"' })
    }
  })
export type EvseEntry = z.infer<typeof evseEntrySchema>

/** `[[fleet.contracts]]`: a vehicle's contract, and how stations name it. */
export const contractEntrySchema = z.strictObject({
  lane: lane.describe('Where it is enrolled.'),
  slot: slot.describe('Its slot in the lane.'),
  tokens: z
    .array(z.string().min(1).max(255))
    .min(1)
    .max(32)
    .describe('What stations report of who is plugged in: RFID, eMAID, MAC address; case makes no difference.'),
})
export type ContractEntry = z.infer<typeof contractEntrySchema>

/** `[fleet]`: `[[fleet.evses]]` and `[[fleet.contracts]]`, here or in files of their own, and what holds for all of them. */
export const fleetConfigSchema = z.strictObject({
  evses: z.array(evseEntrySchema).max(MAX_EVSES).default([]),
  contracts: z.array(contractEntrySchema).max(MAX_CONTRACTS).default([]),
  evsesFile: z
    .string()
    .min(1)
    .optional()
    .describe('CSV with an EVSE a line, beside `evses`; columns are named like the keys.'),
  contractsFile: z
    .string()
    .min(1)
    .optional()
    .describe('CSV with a contract a line, beside `contracts`; several tokens are parted by `;`.'),
  positionMaxAgeSeconds: z
    .number()
    .int()
    .min(1)
    .max(86_400)
    .default(3_600)
    .describe(
      'A position that an EVSE reported counts so long, seconds; then it must report again before anything is signed.',
    ),
})
export type FleetConfig = z.infer<typeof fleetConfigSchema>
