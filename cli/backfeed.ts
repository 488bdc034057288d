import { Command, CommanderError } from 'commander'
import { describeError, ExitCode, exitCodeOf } from '../runtime/errors.ts'

const EXIT_CODES = `
Exit codes: 0 done, 1 a fault of ours, 2 wrong usage or configuration, 3 L1 unreachable, 4 data damaged or false, 5 refused by L1.
Every key of a configuration file can be overridden: [l1] rpcUrl by BACKFEED_L1_RPC_URL.`

/** In the order of the help. A command's modules are read when it is run: `bridge` needs no libp2p. */
const COMMANDS = {
  devnet: async () => (await import('./devnetCommand.ts')).devnetCommand(),
  sequencer: async () => (await import('./serviceCommands.ts')).sequencerCommand(),
  prover: async () => (await import('./serviceCommands.ts')).proverCommand(),
  evse: async () => (await import('./serviceCommands.ts')).evseCommand(),
  gateway: async () => (await import('./gatewayCommands.ts')).gatewayCommand(),
  bridge: async () => (await import('./bridgeCommands.ts')).bridgeCommand(),
  receipt: async () => (await import('./receiptCommands.ts')).receiptCommand(),
  admin: async () => (await import('./adminCommands.ts')).adminCommand(),
  bench: async () => (await import('./benchCommand.ts')).benchCommand(),
} as const satisfies Record<string, () => Promise<Command>>

/** With the command of this name alone; with all where it is none of them, as for help. */
export async function buildProgram(name?: string): Promise<Command> {
  const program = new Command('backfeed')
    .description(
      'Turns signed records of energy that electric vehicles feed back into money that their owners can withdraw.',
    )
    .enablePositionalOptions()
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(--help shows what there is)')
  const commands = Object.entries(COMMANDS)
  const named = commands.filter(([command]) => command === name)
  for (const [, load] of named.length > 0 ? named : commands) program.addCommand(await load())
  return program
}

/** Runs one command; the exit code says how it went. */
async function main(): Promise<void> {
  const program = await buildProgram(process.argv[2])
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
