import { LANE, onL1 } from './onL1.ts'
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { z } from 'zod'
import {
  answerDispute,
  exhibit,
  isDoublePlug,
  openDispute,
  openDoublePlug,
  proveEquivocation,
  readClaim,
  readExhibit,
  resolveClaim,
  type SignedReading,
} from '../bridge/court.ts'
import { findRecord, type RecordName } from '../bridge/evidence.ts'
import { openLaneReplay } from '../bridge/laneReplay.ts'
import { dollars } from '../bridge/money.ts'
import { fromHex } from '../l1/bytes.ts'
import { gridMeterCredentials } from '../l1/operate/meters.ts'
import { ReadingSource } from '../protocol/reading.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { callerFrom, type OperatorContext, openContext } from './operatorConfig.ts'
import { hexBytes, id } from './options.ts'
import { isoTime, say } from './output.ts'
import { readingsCommand } from './readingCommands.ts'

const KEY = ['--key <file>', 'file with the hex key of the account that pays gas and bond'] as const
const READING = [
  '--reading <file>',
  'JSON: source "grid" or "vehicle", energyWh, signature (r ‖ s, hex), and the grid meter’s credentials',
] as const

interface Named {
  config?: string
  lane: number
  evse?: number
  start?: number
  position?: number
}

export function disputeCommand(): Command {
  return new Command('dispute')
    .description('Records that another meter contradicts: shown to L1, disputed, decided.')
    .addCommand(certifyMeterCommand())
    .addCommand(exhibitCommand())
    .addCommand(openCommand())
    .addCommand(answerCommand())
    .addCommand(resolveCommand())
    .addCommand(showCommand())
    .addCommand(readingsCommand())
}

export function reportCommand(): Command {
  return new Command('report')
    .description('EVSEs that contradict themselves, vehicles that plug in twice.')
    .addCommand(equivocationCommand())
    .addCommand(doublePlugCommand())
}

function recordCommand(name: string, description: string): Command {
  return onL1(name, description)
    .requiredOption(...LANE)
    .option('--evse <slot>', 'who measured', id)
    .option('--start <interval>', 'the record’s first interval, Unix seconds / 15', id)
    .option('--position <n>', 'instead of EVSE and start: the record’s position in the lane', id)
    .requiredOption(...KEY)
}

function certifyMeterCommand(): Command {
  return onL1(
    'certify-meter',
    'Vouch for a grid meter beside an EVSE, as the zone’s certifier: prints its credentials.',
  )
    .requiredOption(...LANE)
    .requiredOption('--evse <slot>', 'whose discharges it measures', id)
    .requiredOption('--public-key <hex>', 'the meter’s P-256 key, x ‖ y', hexBytes)
    .requiredOption('--from <interval>', 'it serves spans from this interval on, Unix seconds / 15', id)
    .requiredOption('--to <interval>', 'and before this one', id)
    .requiredOption('--key <file>', 'file with the certifier’s hex key')
    .action(
      async (options: {
        config?: string
        lane: number
        evse: number
        publicKey: Uint8Array
        from: number
        to: number
        key: string
      }) => {
        const { client, contracts } = await openContext(options.config)
        const { lane, evse, publicKey: key, from: fromInterval, to: toInterval } = options
        const { account } = callerFrom(client, options.key)
        const domain = { chainId: client.chain.id, court: contracts.court }
        say(await gridMeterCredentials(account, domain, { lane, evse, key, fromInterval, toInterval }))
      },
    )
}

function exhibitCommand(): Command {
  return recordCommand('exhibit', 'Show L1 a settled record by re-executing its chunk there.').action(
    async (options: Named & { key: string }) => {
      const context = await openContext(options.config)
      say(`exhibit ${await exhibited(context, options)}`)
    },
  )
}

function openCommand(): Command {
  return recordCommand('open', 'Dispute a record by a lower reading, for a bond; shows the record first.')
    .requiredOption(...READING)
    .action(async (options: Named & { key: string; reading: string }) => {
      const reading = readReading(options.reading)
      const context = await openContext(options.config)
      const exhibitId = await exhibited(context, options)
      const caller = callerFrom(context.client, options.key)
      const dispute = await openDispute(caller, context.contracts, { exhibit: exhibitId, reading })
      say(`dispute ${dispute}`)
    })
}

function answerCommand(): Command {
  return onL1('answer', 'File the reading that a dispute still lacks, within three days. Anyone may.')
    .requiredOption('--dispute <id>', 'as `dispute open` said', id)
    .requiredOption(...READING)
    .requiredOption(...KEY)
    .action(async (options: { config?: string; dispute: number; reading: string; key: string }) => {
      const reading = readReading(options.reading)
      const { client, contracts } = await openContext(options.config)
      const answer = { dispute: BigInt(options.dispute), reading }
      await answerDispute(callerFrom(client, options.key), contracts, answer)
      say(`dispute ${options.dispute} answered with ${reading.energyWh} Wh`)
    })
}

function resolveCommand(): Command {
  return onL1('resolve', 'Decide a dispute or a double plug whose batches are final. Anyone may.')
    .requiredOption('--dispute <id>', 'the dispute or double plug', id)
    .requiredOption(...KEY)
    .action(async (options: { config?: string; dispute: number; key: string }) => {
      const { client, contracts } = await openContext(options.config)
      const done = await resolveClaim(callerFrom(client, options.key), contracts, BigInt(options.dispute))
      say(
        done.kind === 'upheld'
          ? `upheld: ${dollars(done.clawedMicro)} clawed back, ${dollars(done.slashedMicro)} taken from the EVSE’s deposit`
          : done.kind === 'void'
            ? 'void: the batch fell'
            : 'refused: the record stands',
      )
    })
}

function showCommand(): Command {
  return onL1('show', 'Show a dispute or double plug and the record that it is about.')
    .requiredOption('--dispute <id>', 'the dispute or double plug', id)
    .action(async (options: { config?: string; dispute: number }) => {
      const { client, contracts } = await openContext(options.config)
      const claim = await readClaim(client, contracts.court, BigInt(options.dispute))
      const record = await readExhibit(client, contracts.court, claim.exhibit)
      const what = isDoublePlug(claim) ? 'double plug' : 'dispute'
      say(`${what} ${options.dispute}, ${claim.closed ? 'closed' : 'open'}`)
      say(
        `record of EVSE ${record.evse} for contract ${record.contractSlot} in lane ${record.lane}, batch ${record.index}: ` +
          `${record.intervals} intervals from ${record.start}, ${record.energyWh} Wh, ${dollars(record.amount)}, ` +
          `${dollars(record.clawed)} of it clawed back; final ${isoTime(record.finalAt)}`,
      )
      if (isDoublePlug(claim)) return
      if ((claim.filed & ReadingSource.VEHICLE) !== 0) say(`vehicle ${claim.vehicleWh} Wh`)
      if ((claim.filed & ReadingSource.GRID) !== 0) say(`grid meter ${claim.gridWh} Wh`)
      say(`challenger ${claim.challenger}, answers until ${isoTime(claim.answerUntil)}`)
    })
}

function equivocationCommand(): Command {
  return onL1('equivocation', 'Report two records that one EVSE signed for overlapping spans.')
    .requiredOption(...LANE)
    .requiredOption('--first <row>', 'record ‖ signature, hex', hexBytes)
    .requiredOption('--second <row>', 'the other one', hexBytes)
    .requiredOption(...KEY)
    .action(async (options: { config?: string; lane: number; first: Uint8Array; second: Uint8Array; key: string }) => {
      const { client, contracts } = await openContext(options.config)
      const report = { lane: options.lane, rows: [options.first, options.second] } as const
      const rewardMicro = await proveEquivocation(callerFrom(client, options.key), contracts, report)
      say(`proven; the EVSE ends in 30 minutes, reward ${dollars(rewardMicro)}`)
    })
}

function doublePlugCommand(): Command {
  return recordCommand('double-plug', 'Report that a contract was credited at two EVSEs at once; shows both records.')
    .requiredOption('--other-evse <slot>', 'who measured the other record', id)
    .requiredOption('--other-start <interval>', 'its first interval', id)
    .action(async (options: Named & { key: string; otherEvse: number; otherStart: number }) => {
      const context = await openContext(options.config)
      const other = { ...options, evse: options.otherEvse, start: options.otherStart }
      delete other.position
      const first = await exhibited(context, options)
      const second = await exhibited(context, other)
      const caller = callerFrom(context.client, options.key)
      say(`double plug ${await openDoublePlug(caller, context.contracts.court, first, second)}`)
    })
}

async function exhibited(context: OperatorContext, options: Named & { key: string }) {
  const name = nameOf(options)
  const replay = await openLaneReplay({ ...context, lane: options.lane })
  const evidence = await findRecord(replay, name)
  return await exhibit(callerFrom(context.client, options.key), context.contracts.court, evidence)
}

function nameOf({ evse, start, position }: Named): RecordName {
  if (position !== undefined && evse === undefined && start === undefined) return { position }
  if (position === undefined && evse !== undefined && start !== undefined) return { evse, start }
  throw new BackfeedError('OPTIONS_UNCLEAR', 'name the record by --evse and --start, or by --position', {
    exitCode: ExitCode.usage,
  })
}

const hex = z.templateLiteral(['0x', z.string().regex(/^([0-9a-fA-F]{2})+$/)])
const readingSchema = z.strictObject({
  source: z.enum(['vehicle', 'grid']),
  energyWh: z.number().int().min(0).max(0xffffff),
  signature: hex.refine((text) => fromHex(text).length === 64, '64 bytes, r ‖ s'),
  credentials: hex.optional(),
})

/** @throws BackfeedError READING_INVALID */
export function readReading(path: string): SignedReading {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new BackfeedError('READING_INVALID', `cannot read ${path}`, { exitCode: ExitCode.usage, cause })
  }
  const parsed = readingSchema.safeParse(jsonOf(text))
  if (!parsed.success) {
    throw new BackfeedError('READING_INVALID', `${path}: ${z.prettifyError(parsed.error)}`, {
      exitCode: ExitCode.usage,
    })
  }
  const { source, credentials, ...reading } = parsed.data
  if (source === 'grid' && credentials === undefined) {
    throw new BackfeedError('READING_INVALID', `${path}: a grid meter needs credentials`, { exitCode: ExitCode.usage })
  }
  return {
    ...reading,
    source: source === 'grid' ? ReadingSource.GRID : ReadingSource.VEHICLE,
    ...(credentials === undefined ? {} : { credentials }),
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
