import { CALLER_KEY, LANE, onL1, onLane } from './onL1.ts'
import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { parse as parseToml } from 'smol-toml'
import { z } from 'zod'
import { dollars } from '../bridge/money.ts'
import { tariffAbi } from '../l1/abi/tariff.ts'
import { openLaneView } from '../l1/laneView/laneView.ts'
import { setPrices, setTariff } from '../l1/operate/tariffs.ts'
import { MAX_PRICE_NANO, PERIOD_SECONDS } from '../protocol/limits.ts'
import { type Tariff, tariffFrom, tariffProblem } from '../protocol/tariff.ts'
import { parseConfig } from '../runtime/config.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { readInputRows } from './csvInput.ts'
import { callerFrom, openContext } from './operatorConfig.ts'
import { id, periodAt, wholeNumber } from './options.ts'
import { isoTime, say } from './output.ts'

export function tariffCommand(): Command {
  const set = onL1('set', 'Zone’s operator: set a lane’s tariff from a period on, at least 30 minutes ahead.')
    .requiredOption(...CALLER_KEY)
    .requiredOption(...LANE)
    .requiredOption('--from <time>', 'first period, such as 2026-09-22T17:15:00Z', periodAt)
    .requiredOption('--tariff <file>', 'TOML, see docs/operations.md')
    .action(async (options: { config?: string; key: string; lane: number; from: number; tariff: string }) => {
      const { client, contracts } = await openContext(options.config)
      const tariff = readTariff(options.tariff)
      const what = { lane: options.lane, fromPeriod: options.from, tariff }
      await setTariff(callerFrom(client, options.key), contracts.tariff, what)
      say(`tariff of lane ${options.lane} set`)
    })
  return new Command('tariff').description('What a lane pays for.').addCommand(set).addCommand(showTariffCommand())
}

function showTariffCommand(): Command {
  return onLane('show', 'Show the versions of a lane’s tariff, those of the future too.').action(
    async (options: { config?: string; lane: number }) => {
      const { client, contracts } = await openContext(options.config)
      const view = await openLaneView({ client, contracts, lane: options.lane })
      await view.catchUp(await client.getBlock())
      const { tariffs } = view.rules
      if (tariffs.length === 0) say('no tariff yet: nothing settles')
      for (const [version, { fromPeriod, tariff }] of tariffs.entries()) {
        say(`version ${version}, from ${isoTime(fromPeriod * PERIOD_SECONDS)}`)
        say(`  ${JSON.stringify(tariff)}`)
      }
    },
  )
}

export function pricesCommand(): Command {
  const set = onL1(
    'set',
    'Zone’s publisher: set event prices, each until 30 minutes before its period. No price is no event.',
  )
    .requiredOption(...CALLER_KEY)
    .requiredOption('--zone <id>', 'the zone', id)
    .requiredOption('--prices <file>', 'CSV: period (2026-09-22T17:15:00Z), price (token per kWh; up to 6 decimals)')
    .action(async (options: { config?: string; key: string; zone: number; prices: string }) => {
      const { client, contracts } = await openContext(options.config)
      const caller = callerFrom(client, options.key)
      const runs = readPriceRuns(options.prices)
      for (const run of runs) await setPrices(caller, contracts.tariff, { zone: options.zone, ...run })
      say(`${runs.reduce((sum, run) => sum + run.nano.length, 0)} periods in ${runs.length} transactions`)
    })
  return new Command('prices')
    .description('What a zone’s grid events are worth.')
    .addCommand(set)
    .addCommand(showPricesCommand())
}

function showPricesCommand(): Command {
  return onL1('show', 'Show the prices of a zone’s periods, token per kWh; 0 is no event.')
    .requiredOption('--zone <id>', 'the zone', id)
    .requiredOption('--from <time>', 'first period', periodAt)
    .option('--count <periods>', 'how many, 15 minutes each', wholeNumber(1, 2_976), 96)
    .action(async (options: { config?: string; zone: number; from: number; count: number }) => {
      const { client, contracts } = await openContext(options.config)
      for (let period = options.from; period < options.from + options.count; period++) {
        const nano = await client.readContract({
          address: contracts.tariff,
          abi: tariffAbi,
          functionName: 'price',
          args: [options.zone, period],
        })
        say(`${isoTime(period * PERIOD_SECONDS)}  ${dollars(BigInt(nano))}`)
      }
    })
}

/** A call for each run of consecutive periods, of a month at most: some 9 million gas. */
const MOST_PERIODS_PER_CALL = 2_976

function readPriceRuns(path: string): { firstPeriod: number; nano: number[] }[] {
  const runs: { firstPeriod: number; nano: number[] }[] = []
  for (const row of readInputRows(path)) {
    const period = row.read('period', periodAt)
    const nano = row.read('price', priceNano)
    const last = runs.at(-1)
    const follows = last !== undefined && period === last.firstPeriod + last.nano.length
    if (follows && last.nano.length < MOST_PERIODS_PER_CALL) last.nano.push(nano)
    else runs.push({ firstPeriod: period, nano: [nano] })
  }
  return runs
}

/** Token per kWh, whose 10^-6 is 10^-9 token per Wh. */
function priceNano(text: string): number {
  const match = /^(\d+)(?:\.(\d{1,6}))?$/.exec(text)
  const nano = match === null ? Number.NaN : Number(match[1]! + (match[2] ?? '').padEnd(6, '0'))
  if (!(nano < MAX_PRICE_NANO)) throw new InvalidArgumentError('Token per kWh, below 67.108864, up to 6 decimals.')
  return nano
}

const bps = z.number().int().min(0).max(0xffff)
const tariffSchema = z.strictObject({
  socToleranceBps: bps,
  maxIncentiveBps: bps,
  tiers: z.strictObject({
    powerW: z.array(z.number().int().min(0)).min(1).max(4),
    sessionIntervals: z.array(z.number().int().min(0)).min(1).max(4),
    bps: z.array(z.array(bps).min(1).max(4)).min(1).max(4),
  }),
  thermal: z
    .array(z.strictObject({ fromC: z.number().int().min(0).max(150), bps }))
    .min(1)
    .max(8),
})

function readTariff(path: string): Tariff {
  let table: unknown
  try {
    table = parseToml(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new BackfeedError('TARIFF_UNREADABLE', `cannot read ${path} as TOML`, { exitCode: ExitCode.usage, cause })
  }
  const { tiers, thermal, ...rest } = parseConfig(tariffSchema, table, path)
  const isWhole =
    tiers.bps.length === tiers.powerW.length && tiers.bps.every((row) => row.length === tiers.sessionIntervals.length)
  if (!isWhole) {
    throw new BackfeedError(
      'TARIFF_INVALID',
      `${path}: tiers.bps needs a row for each powerW and a column for each sessionIntervals`,
      {
        exitCode: ExitCode.usage,
      },
    )
  }
  const tariff = tariffFrom({
    ...rest,
    tiers: {
      powerW: [...tiers.powerW],
      sessionIntervals: [...tiers.sessionIntervals],
      bps: tiers.bps.map((row) => [...row]),
    },
    thermal: [...thermal],
  })
  const problem = tariffProblem(tariff)
  if (problem !== undefined)
    throw new BackfeedError('TARIFF_INVALID', `${path}: ${problem}`, { exitCode: ExitCode.usage })
  return tariff
}
