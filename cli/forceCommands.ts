import { onLane } from './onL1.ts'
import { Command, Option } from 'commander'
import type { Hex } from 'viem'
import { deadlinesOf, forcedStanding, recordsToForce } from '../bridge/force.ts'
import { postForced } from '../bridge/forcedPost.ts'
import { toHex } from '../l1/bytes.ts'
import { forceRecord } from '../l1/forced/forceRecord.ts'
import { parseJsonRecords } from '../sequencer/ingress/jsonRecords.ts'
import { outcomeNames } from '../protocol/outcome.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { readFileSync } from 'node:fs'
import { callerFrom, openContext } from './operatorConfig.ts'
import { hex } from './options.ts'
import { isoTime, say } from './output.ts'

interface RecordOptions {
  config?: string
  lane: number
  key: string
  record?: Hex
  signature?: string
  records?: string
}

export function forceCommand(): Command {
  return new Command('force')
    .description('Bring a signed record to a lane through L1, past a sequencer that does not take it.')
    .addCommand(recordCommand(), { isDefault: true })
    .addCommand(statusCommand())
    .addCommand(postCommand())
}

function recordCommand(): Command {
  return onLane('record', 'Queue signed records on L1, for a fee each that is burned. Anyone may do this for an EVSE.')
    .requiredOption('--key <file>', 'file with the hex key of the account that pays')
    .option('--record <hex>', 'its 24 bytes; with --signature', hex(24))
    .option('--signature <hex>', 'of the EVSE, as a sequencer takes it')
    .addOption(
      new Option(
        '--records <file>',
        'JSON as a sequencer takes it: {"records": [{"record": …, "signature": …}]}',
      ).conflicts(['record', 'signature']),
    )
    .action(async (options: RecordOptions) => {
      const text = jsonOf(options)
      const context = await openContext(options.config)
      const lane = { ...context, lane: options.lane }
      const { rules, fromRows } = await recordsToForce(lane)
      const parsed = parseJsonRecords(text, rules.layout)
      if ('fault' in parsed) throw usage(parsed.fault.message)
      const caller = callerFrom(context.client, options.key)
      for (const record of fromRows(parsed.rows)) {
        const { index, queuedAt } = await forceRecord(caller, context.contracts.forcedQueue, record)
        const { dueAt, openAt } = deadlinesOf(queuedAt)
        say(`entry ${index}: in a batch by ${isoTime(dueAt)}; after ${isoTime(openAt)} anyone bonded may post it`)
      }
    })
}

function statusCommand(): Command {
  return onLane('status', 'Show what a lane’s batches took of its queue, and what waits.').action(
    async (options: { config?: string; lane: number }) => {
      const context = await openContext(options.config)
      const { length, consumed, waiting } = await forcedStanding({ ...context, lane: options.lane })
      say(`${length} entries, ${consumed} of them in batches`)
      for (const { index, record, queuedAt } of waiting) {
        const { dueAt } = deadlinesOf(queuedAt)
        say(`entry ${index}: queued ${isoTime(queuedAt)}, due ${isoTime(dueAt)}, ${toHex(record)}`)
      }
    },
  )
}

function postCommand(): Command {
  return onLane('post', 'Post what waits, when the lane’s operator has no bond or let it wait for more than 24 hours.')
    .requiredOption('--key <file>', 'file with the hex key of a bonded account, which answers for the batch')
    .action(async (options: { config?: string; lane: number; key: string }) => {
      const context = await openContext(options.config)
      const caller = callerFrom(context.client, options.key)
      const { header, txHash, outcomes } = await postForced(caller, { ...context, lane: options.lane })
      say(`batch ${header.index} of lane ${options.lane} posted: ${txHash}`)
      for (const [i, outcome] of outcomes.entries()) {
        say(`entry ${header.forcedStart + BigInt(i)}: ${outcomeNames[outcome]}`)
      }
    })
}

function jsonOf({ record, signature, records }: RecordOptions): string {
  if (records !== undefined) {
    try {
      return readFileSync(records, 'utf8')
    } catch (cause) {
      throw new BackfeedError('FILE_UNREADABLE', `cannot read ${records}`, { exitCode: ExitCode.usage, cause })
    }
  }
  if (record === undefined || signature === undefined) throw usage('give --records, or --record and --signature')
  return JSON.stringify({ records: [{ record, signature }] })
}

function usage(message: string): BackfeedError {
  return new BackfeedError('USAGE', message, { exitCode: ExitCode.usage })
}
