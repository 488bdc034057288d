import { readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { LOG_LEVELS, type LogLevel } from '../runtime/log.ts'
import type { PlainCredits, PlainTerms } from '../devnet/independent/independentSettlement.ts'
import type { Scenario } from '../devnet/scenario.ts'
import { eveningCommand } from './eveningCommand.ts'
import { withInterrupt } from './interrupt.ts'
import { wholeNumber } from './options.ts'

interface Options {
  seed: string
  evses: number
  blsEvses: number
  minutes: number
  sessions?: string
  prices?: string
  firstDay: number
  days: number
  ratedWatts: number
  shareBps: number
  depthBps: number
  capacityWh: number
  data: 'blob' | 'calldata'
  logLevel: LogLevel
}

export function devnetCommand(): Command {
  return (
    new Command('devnet')
      // What follows the name of a subcommand is the subcommand's, also where both know the option.
      .enablePositionalOptions()
      .description(
        'Run everything on this machine: an L1 node, contracts, sequencer, prover and a fleet of cars, until every owner is paid. ' +
          'Exit code 4 when anything differs from the independent calculation.',
      )
      .option('--seed <text>', 'of keys and of the built-in fleet', '1')
      .option('--evses <count>', 'chargers of the built-in fleet, each with a car', wholeNumber(1, 5_000), 100)
      .option(
        '--bls-evses <count>',
        'how many of the built-in fleet sign with BLS12-381, in a lane of their own',
        wholeNumber(0, 5_000),
        12,
      )
      .option(
        '--minutes <count>',
        'simulated minutes of the built-in fleet, a record a minute and charger',
        wholeNumber(1, 1_440),
        120,
      )
      .option('--sessions <file>', 'replay real stays instead: CSV with Start, End (local time) and Energy (kWh taken)')
      .option('--prices <file>', 'on these prices: CSV with "Datetime (he)" (hour ending) and "DA Price ($/kWh)"')
      .option(
        '--first-day <day>',
        'first day of the price year that is replayed, 0 = 1 January',
        wholeNumber(0, 365),
        0,
      )
      .option('--days <count>', 'days replayed', wholeNumber(1, 366), 366)
      .option('--rated-watts <W>', 'power of every charger in a replay', wholeNumber(1_000, 350_000), 6_600)
      .option(
        '--share-bps <bps>',
        'part of what a car took that it may give back, 10 000 = all',
        wholeNumber(1, 10_000),
        5_000,
      )
      .option(
        '--depth-bps <bps>',
        'part of its battery that a car gives back at most, 10 000 = all',
        wholeNumber(1, 10_000),
        2_500,
      )
      .option('--capacity-wh <Wh>', 'battery of every car in a replay', wholeNumber(1_000, 1_000_000), 60_000)
      .addOption(new Option('--data <kind>', 'where batches live on L1').choices(['blob', 'calldata']).default('blob'))
      .addOption(
        new Option('--log-level <level>', 'of the services, on standard error')
          .choices([...LOG_LEVELS])
          .default('warn'),
      )
      .action(runCommand)
      .addCommand(eveningCommand())
  )
}

async function runCommand(options: Options): Promise<void> {
  const { runDevnet } = await import('../devnet/devnet.ts')
  const { Screen } = await import('../devnet/screen.ts')
  const { scenario, independent } = await chooseScenario(options)
  await withInterrupt(async (signal) => {
    const found = await runDevnet({
      seed: options.seed,
      scenario,
      independent,
      data: options.data,
      logLevel: options.logLevel,
      screen: new Screen(),
      signal,
    })
    process.exitCode = found.length === 0 ? ExitCode.ok : ExitCode.dataCorrupted
  })
}

async function chooseScenario(options: Options): Promise<{ scenario: Scenario; independent: PlainCredits }> {
  const { independentCredits } = await import('../devnet/independent/independentSettlement.ts')
  if (options.sessions === undefined && options.prices === undefined) {
    const { seededScenario } = await import('../devnet/seededScenario.ts')
    const { scenarioDischarges } = await import('../devnet/scenario.ts')
    const scenario = seededScenario({
      seed: options.seed,
      evseCount: options.evses,
      blsEvses: Math.min(options.blsEvses, options.evses),
      minutes: options.minutes,
    })
    const prices = new Map(
      scenario.prices.flatMap(({ firstPeriod, nano }) => nano.map((price, i) => [firstPeriod + i, price] as const)),
    )
    const terms = termsOf(scenario, (period) => BigInt(prices.get(Number(period)) ?? 0))
    return { scenario, independent: independentCredits(scenarioDischarges(scenario), terms) }
  }
  const { sessions, prices } = options
  if (sessions === undefined || prices === undefined) {
    throw new BackfeedError('USAGE', '--sessions and --prices go together', { exitCode: ExitCode.usage })
  }
  const { readSessionFile } = await import('../devnet/replay/sessionFile.ts')
  const { readPriceFile } = await import('../devnet/replay/priceFile.ts')
  const { replayScenario } = await import('../devnet/replay/replayScenario.ts')
  const { independentReplay } = await import('../devnet/independent/independentReplay.ts')
  const rule = {
    ratedW: options.ratedWatts,
    shareBps: options.shareBps,
    depthBps: options.depthBps,
    capacityWh: options.capacityWh,
  }
  const scenario = replayScenario(
    { sessions: readSessionFile(sessions), prices: readPriceFile(prices) },
    { rule, days: { firstDay: options.firstDay, dayCount: options.days } },
  )
  if (scenario.cars.length === 0) {
    throw new BackfeedError('USAGE', 'nobody arrives in these days', { exitCode: ExitCode.usage })
  }
  const replay = independentReplay(
    { sessions: readFileSync(sessions, 'utf8'), prices: readFileSync(prices, 'utf8') },
    { ...rule, days: { from: options.firstDay, to: options.firstDay + options.days } },
  )
  return { scenario, independent: independentCredits(replay.records, termsOf(scenario, replay.priceNano)) }
}

function termsOf(scenario: Scenario, priceNano: PlainTerms['priceNano']): PlainTerms {
  return { ...scenario.tariff, priceNano, incentiveBps: (contract) => BigInt(scenario.cars[contract]!.incentiveBps) }
}
