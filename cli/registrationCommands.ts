import { CALLER_KEY, LANE, onL1 } from './onL1.ts'
import { readFileSync } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import type { Hex } from 'viem'
import { z } from 'zod'
import { registryAbi } from '../l1/abi/registry.ts'
import { fromHex } from '../l1/bytes.ts'
import { accountFromKeyFile } from '../l1/client.ts'
import type { Caller } from '../l1/contractCall.ts'
import {
  enrolContracts,
  evseDescriptorsHex,
  registerEvses,
  type Signed,
  signCertificate,
  signConsent,
} from '../l1/operate/registration.ts'
import type { ContractDescriptor, EvseDescriptor } from '../protocol/descriptor.ts'
import { verifyPossession } from '../protocol/blsPossession.ts'
import { BLS_SIGNATURE_BYTES, MAX_CAPACITY_WH, MAX_RATED_W } from '../protocol/limits.ts'
import { BLS_LAYOUT, layoutByKeyBytes } from '../protocol/scheme.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { type InputRow, readInputRows } from './csvInput.ts'
import { callerFrom, type OperatorContext, openContext } from './operatorConfig.ts'
import { hex, tokenAmount, wholeNumber } from './options.ts'
import { say } from './output.ts'
import { degrees } from './degrees.ts'

const EVSES_FILE = [
  '--evses <file>',
  'CSV: publicKey (0x, x ‖ y), ratedW (W), lat, lon (degrees), radiusM (m), deposit (token), possession (0x, of BLS keys alone)',
] as const
const CONTRACTS_FILE = [
  '--contracts <file>',
  'CSV: vehicle (token id), incentiveBps (10 000 = the tariff), capacityWh (Wh), consent (0x…, or 0x for one’s own), vehicleKey (0x, x ‖ y; may be left out)',
] as const
const DAYS = ['--days <count>', 'how long the signature holds', wholeNumber(1, 365), 7] as const

export function certifyCommand(): Command {
  return onL1(
    'certify',
    'Zone’s certifier: sign EVSEs that will take the lane’s next slots. Prints the certificate as JSON.',
  )
    .requiredOption('--key <file>', 'file with the certifier’s hex key')
    .requiredOption(...LANE)
    .requiredOption(...EVSES_FILE)
    .option(...DAYS)
    .action(async (options: { config?: string; key: string; lane: number; evses: string; days: number }) => {
      const { client, contracts } = await openContext(options.config)
      const firstSlot = await client.readContract({
        address: contracts.registry,
        abi: registryAbi,
        functionName: 'evseCount',
        args: [options.lane],
      })
      const certificate = await signCertificate(
        accountFromKeyFile(options.key),
        { chainId: client.chain.id, registry: contracts.registry },
        {
          lane: options.lane,
          firstSlot,
          descriptors: evseDescriptorsHex(readInputRows(options.evses).map(evseOf)),
          deadline: await deadlineIn(client, options.days),
        },
      )
      say(JSON.stringify({ deadline: certificate.deadline.toString(), signature: certificate.signature }))
    })
}

export function registerEvsesCommand(): Command {
  return onL1(
    'register-evses',
    'Lane’s owner or operator: register certified EVSEs; takes their deposits. In force 30 minutes later.',
  )
    .requiredOption(...CALLER_KEY)
    .requiredOption(...LANE)
    .requiredOption(...EVSES_FILE)
    .requiredOption('--certificate <file>', 'what `certify` printed')
    .action(async (options: { config?: string; key: string; lane: number; evses: string; certificate: string }) => {
      const context = await openContext(options.config)
      const { firstSlot, count } = await registerFromFiles(callerFrom(context.client, options.key), context, options)
      say(`EVSEs ${firstSlot} to ${firstSlot + count - 1}`)
    })
}

/** Registers the EVSEs of a CSV file with the certificate of another. */
export async function registerFromFiles(
  caller: Caller,
  { contracts }: OperatorContext,
  files: { lane: number; evses: string; certificate: string },
): Promise<{ firstSlot: number; count: number }> {
  const rows = readInputRows(files.evses)
  const evses = rows.map(evseOf)
  const certificate = readCertificate(files.certificate)
  const possessions = rows.flatMap((row, i) => possessionOf(row, evses[i]!))
  const firstSlot = await registerEvses(caller, contracts, { lane: files.lane, evses, certificate, possessions })
  return { firstSlot, count: evses.length }
}

export function consentCommand(): Command {
  return onL1(
    'consent',
    'Vehicle’s owner: agree to contracts. Prints a signature for each line, and the deadline to pass to `enrol`.',
  )
    .requiredOption('--key <file>', 'file with the owner’s hex key')
    .requiredOption(...LANE)
    .requiredOption(...CONTRACTS_FILE)
    .option(...DAYS)
    .action(async (options: { config?: string; key: string; lane: number; contracts: string; days: number }) => {
      const { client, contracts } = await openContext(options.config)
      const owner = accountFromKeyFile(options.key)
      const deadline = await deadlineIn(client, options.days)
      const domain = { chainId: client.chain.id, registry: contracts.registry }
      for (const contract of readInputRows(options.contracts).map(contractOf)) {
        say(await signConsent(owner, domain, { lane: options.lane, contract, deadline }))
      }
      say(`deadline ${deadline}`)
    })
}

export function enrolCommand(): Command {
  return onL1(
    'enrol',
    'Lane’s owner or operator: enrol contracts that vehicles’ owners consented to. In force 30 minutes later.',
  )
    .requiredOption(...CALLER_KEY)
    .requiredOption(...LANE)
    .requiredOption(...CONTRACTS_FILE)
    .requiredOption('--deadline <seconds>', 'as `consent` printed it, Unix time', wholeNumber(1))
    .action(async (options: { config?: string; key: string; lane: number; contracts: string; deadline: number }) => {
      const { client, contracts } = await openContext(options.config)
      const rows = readInputRows(options.contracts)
      const what = {
        lane: options.lane,
        contracts: rows.map(contractOf),
        consents: rows.map((row) => row.read('consent', (text) => text as Hex)),
        deadline: BigInt(options.deadline),
      }
      const firstSlot = await enrolContracts(callerFrom(client, options.key), contracts.registry, what)
      say(`contracts ${firstSlot} to ${firstSlot + rows.length - 1}`)
    })
}

function evseOf(row: InputRow): EvseDescriptor {
  return {
    key: fromHex(row.read('publicKey', evseKeyHex)),
    ratedW: row.read('ratedW', wholeNumber(1, MAX_RATED_W - 1)),
    lat: row.read('lat', degrees(90)),
    lon: row.read('lon', degrees(180)),
    radiusM: row.read('radiusM', wholeNumber(0, 0xffff)),
    depositMicro: row.read('deposit', tokenAmount),
  }
}

function evseKeyHex(text: string): Hex {
  const layout = layoutByKeyBytes((text.length - 2) / 2)
  if (layout === undefined) throw new InvalidArgumentError('0x and 128 hex digits of a P-256 key, or 256 of a BLS key.')
  return hex(layout.keyBytes)(text)
}

/** None of a P-256 key. Checked here: L1 would take gas to say the same of all of them together. */
function possessionOf(row: InputRow, { key }: EvseDescriptor): Uint8Array[] {
  if (key.length !== BLS_LAYOUT.keyBytes) return []
  return [
    row.read('possession', (text) => {
      const possession = fromHex(hex(BLS_SIGNATURE_BYTES)(text))
      if (!verifyPossession(key, possession)) throw new InvalidArgumentError('Not a proof that somebody holds the key.')
      return possession
    }),
  ]
}

function contractOf(row: InputRow): ContractDescriptor {
  return {
    vehicle: row.read('vehicle', (text) => BigInt(wholeNumber(1)(text))),
    incentiveBps: row.read('incentiveBps', wholeNumber(0, 0xffff)),
    capacityWh: row.read('capacityWh', wholeNumber(1, MAX_CAPACITY_WH - 1)),
    vehicleKey: vehicleKeyOf(row),
  }
}

/** Optional: with it the vehicle can sign counter-readings (docs/protocol.md §12). */
function vehicleKeyOf(row: InputRow): Uint8Array | undefined {
  const text = row.readOptional('vehicleKey', (found) => found)
  return text === undefined || text === '' ? undefined : fromHex(row.read('vehicleKey', hex(64)))
}

const certificateSchema = z.object({
  deadline: z.string().regex(/^\d+$/).transform(BigInt),
  signature: z
    .string()
    .regex(/^0x[0-9a-f]+$/i)
    .transform((text) => text as Hex),
})

function readCertificate(path: string): Signed {
  try {
    return certificateSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    throw new BackfeedError('CERTIFICATE_UNREADABLE', `${path} holds no certificate`, {
      exitCode: ExitCode.usage,
      cause,
    })
  }
}

/** By the chain's clock. */
async function deadlineIn(client: { getBlock(): Promise<{ timestamp: bigint }> }, days: number): Promise<bigint> {
  return (await client.getBlock()).timestamp + BigInt(days) * 86_400n
}
