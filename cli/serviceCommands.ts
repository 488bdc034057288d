import { Command } from 'commander'
import { loadConfig } from '../runtime/config.ts'
import { createLogger } from '../runtime/log.ts'
import { runUntilSignal } from '../runtime/service.ts'

const CONFIG = '--config <file>'
const CONFIG_HELP = 'TOML; docs/operations.md lists every key with its unit and default'

// The services are imported when they run, so that `--help` and the small commands need not load them.

export function sequencerCommand(): Command {
  return new Command('sequencer')
    .description('Run a sequencer: takes in signed records and posts them to L1 in batches.')
    .requiredOption(CONFIG, CONFIG_HELP)
    .action(async ({ config: path }: { config: string }) => {
      const { sequencerConfigSchema } = await import('../sequencer/config.ts')
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
    .action(async ({ config: path }: { config: string }) => {
      const { proverConfigSchema } = await import('../prover/config.ts')
      const { startProver } = await import('../prover/main.ts')
      const config = loadConfig({ path, schema: proverConfigSchema })
      const log = createLogger({ service: 'prover', level: config.log.level })
      process.exitCode = await runUntilSignal(log, (signal) => startProver(config, { signal, log }))
    })
}
