import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import type { Address } from 'viem'
import { compareReading, readingFileText, type VehicleReading } from '../evse/evidence/vehicleReading.ts'
import { VehicleReadings } from '../evse/evidence/vehicleReadings.ts'
import { openEdgeStore } from '../evse/store/levelStore.ts'
import { INTERVAL_SECONDS } from '../protocol/limits.ts'
import { decodeRecord } from '../protocol/record.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { ownerOfFolder } from '../runtime/levelFolder.ts'
import { silentLogger } from '../runtime/log.ts'
import { id } from './options.ts'
import { isoTime, say } from './output.ts'

interface StoreOptions {
  store: string
}

/** What cars signed, from the store of a stopped agent or gateway. */
export function readingsCommand(): Command {
  return new Command('readings')
    .description('What cars signed beside records: evidence for disputes. The agent or gateway must be stopped.')
    .addCommand(listCommand())
    .addCommand(writeCommand())
}

function listCommand(): Command {
  return onStore('list', 'List readings, the oldest first.')
    .option('--below', 'only those below their record by more than the court’s tolerance')
    .action(async (options: StoreOptions & { below?: true }) => {
      await withReadings(options, async (readings) => {
        for await (const reading of readings.list({ below: options.below === true })) say(inWords(reading))
      })
    })
}

function writeCommand(): Command {
  return onStore('write', 'Write a reading as the file that `backfeed bridge dispute` takes.')
    .requiredOption('--lane <id>', 'the record’s lane', id)
    .requiredOption('--evse <slot>', 'who measured', id)
    .requiredOption('--start <interval>', 'the record’s first interval, Unix seconds / 15', id)
    .requiredOption('--out <file>', 'where it goes; an existing file is not overwritten')
    .action(async (options: StoreOptions & { lane: number; evse: number; start: number; out: string }) => {
      await withReadings(options, async (readings) => {
        const reading = await readings.find(options)
        if (reading === undefined) {
          const text = `no car signed for EVSE ${options.evse} of lane ${options.lane} at interval ${options.start}`
          throw new BackfeedError('READING_MISSING', text, { exitCode: ExitCode.usage })
        }
        try {
          writeFileSync(options.out, readingFileText(reading), { flag: 'wx' })
        } catch (cause) {
          throw new BackfeedError('READING_UNWRITABLE', `cannot make ${options.out}`, {
            exitCode: ExitCode.usage,
            cause,
          })
        }
        say(inWords(reading))
      })
    })
}

function onStore(name: string, description: string): Command {
  return new Command(name).description(description).requiredOption('--store <folder>', 'the agent’s or gateway’s store')
}

async function withReadings(
  { store: folder }: StoreOptions,
  work: (readings: VehicleReadings) => Promise<void>,
): Promise<void> {
  const owner = ownerOfFolder(folder)
  await using store = await openEdgeStore(folder, owner)
  const deployment = { chainId: BigInt(owner.chainId), rollup: owner.rollup as Address }
  // Nothing is kept by this command, so that nobody's key is asked for.
  const deps = { store, deployment, vehicleKey: () => undefined, now: Date.now, log: silentLogger() }
  await work(await VehicleReadings.open(deps))
}

function inWords(reading: VehicleReading): string {
  const { evse, contract, start, intervals, energyWh } = decodeRecord(reading.record)
  const span = `${isoTime(start * INTERVAL_SECONDS)} to ${isoTime((start + intervals) * INTERVAL_SECONDS)}`
  const verdict = compareReading(reading) === 'BELOW' ? 'below the record' : 'agrees'
  return (
    `lane ${reading.lane}, EVSE ${evse}, start ${start}, contract ${contract}, ${span}: ` +
    `record ${energyWh} Wh, car ${reading.energyWh} Wh: ${verdict}`
  )
}
