import { Command, CommanderError } from 'commander'
import { describeError, ExitCode, exitCodeOf } from '../runtime/errors.ts'
import { adminCommand } from './adminCommands.ts'
import { benchCommand } from './benchCommand.ts'
import { bridgeCommand } from './bridgeCommands.ts'
import { devnetCommand } from './devnetCommand.ts'
import { gatewayCommand } from './gatewayCommands.ts'
import { receiptCommand } from './receiptCommands.ts'
import { evseCommand, proverCommand, sequencerCommand } from './serviceCommands.ts'

const EXIT_CODES = `
Exit codes: 0 done, 1 a fault of ours, 2 wrong usage or configuration, 3 L1 unreachable, 4 data damaged or false, 5 refused by L1.
Every key of a configuration file can be overridden: [l1] rpcUrl by BACKFEED_L1_RPC_URL.`

export function buildProgram(): Command {
  const program = new Command('backfeed')
    .description(
      'Turns signed records of energy that electric vehicles feed back into money that their owners can withdraw.',
    )
    .enablePositionalOptions()
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(--help shows what there is)')
  for (const command of [
    devnetCommand(),
    sequencerCommand(),
    proverCommand(),
    evseCommand(),
    gatewayCommand(),
    bridgeCommand(),
    receiptCommand(),
    adminCommand(),
    benchCommand(),
  ]) {
    program.addCommand(command)
  }
  return program
}

/** Runs one command; the exit code says how it went. */
async function main(): Promise<void> {
  const program = buildProgram()
  overrideExit(program)
  try {
    await program.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? ExitCode.ok : ExitCode.usage
      return
    }
    process.stderr.write(`backfeed: ${describeError(error)}\n`)
    process.exitCode = exitCodeOf(error)
  }
}

function overrideExit(command: Command): void {
  command.exitOverride()
  for (const inner of command.commands) overrideExit(inner)
}

if (import.meta.main) await main()
