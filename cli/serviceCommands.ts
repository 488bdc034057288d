import { Command } from 'commander'
import { evseConfigSchema } from '../evse/config.ts'
import { proverConfigSchema } from '../prover/config.ts'
import { loadConfig } from '../runtime/config.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { letHeapGrow } from '../runtime/heapGrowth.ts'
import { createLogger } from '../runtime/log.ts'
import { runUntilSignal } from '../runtime/service.ts'
import { sequencerConfigSchema } from '../sequencer/config.ts'
import { configHelp } from './configHelp.ts'

const CONFIG = '--config <file>'
const CONFIG_HELP = 'TOML; docs/operations.md lists every key with its unit and default'

// The services are imported when they run, so that `--help` and the small commands need not load them.

export function sequencerCommand(): Command {
  return new Command('sequencer')
    .description('Run a sequencer: takes in signed records and posts them to L1 in batches.')
    .requiredOption(CONFIG, CONFIG_HELP)
    .addHelpText('after', () => configHelp(sequencerConfigSchema))
    .action(async ({ config: path }: { config: string }) => {
      letHeapGrow()
      const { startSequencer } = await import('../sequencer/main.ts')
      const config = loadConfig({ path, schema: sequencerConfigSchema })
      const log = createLogger({ service: 'sequencer', level: config.logLevel })
      process.exitCode = await runUntilSignal(log, (signal) => startSequencer(config, { signal, log }))
    })
}

export function proverCommand(): Command {
  return new Command('prover')
    .description('Run a prover: re-executes every chunk of every batch and proves what is false.')
    .requiredOption(CONFIG, CONFIG_HELP)
    .option('--attest', 'insist on signing batches for fast withdrawals: refuse a file without an [attest] section')
    .addHelpText('after', () => configHelp(proverConfigSchema))
    .action(async ({ config: path, attest }: { config: string; attest?: boolean }) => {
      const { startProver } = await import('../prover/main.ts')
      const config = loadConfig({ path, schema: proverConfigSchema })
      if (attest === true && config.attest === undefined) {
        throw new BackfeedError('CONFIG_INVALID', `${path}: --attest needs an [attest] section with a keyFile`, {
          exitCode: ExitCode.usage,
        })
      }
      const log = createLogger({ service: 'prover', level: config.log.level })
      process.exitCode = await runUntilSignal(log, (signal) => startProver(config, { signal, log }))
    })
}

export function evseCommand(): Command {
  return new Command('evse')
    .description('Run an EVSE’s agent: meter readings in by lines, signed records out, receipts kept.')
    .requiredOption(CONFIG, 'TOML; docs/evse.md lists every key with its unit and default')
    .addHelpText('after', () => configHelp(evseConfigSchema))
    .action(async ({ config: path }: { config: string }) => {
      const { startEvse } = await import('../evse/main.ts')
      const config = loadConfig({ path, schema: evseConfigSchema })
      // Standard output is the firmware's.
      const log = createLogger({ service: 'evse', level: config.log.level, destination: process.stderr })
      process.exitCode = await runUntilSignal(log, (signal) => startEvse(config, { signal, log }))
    })
}
