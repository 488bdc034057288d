import { Command } from 'commander'
import { type GatewayConfig, gatewayConfigSchema } from '../gateway/config.ts'
import { loadConfig } from '../runtime/config.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { createLogger, silentLogger } from '../runtime/log.ts'
import { runUntilSignal } from '../runtime/service.ts'
import { configHelp } from './configHelp.ts'
import { ocmfCommand } from './ocmfCommand.ts'
import { gatewayActions } from './gatewayActions.ts'
import { GATEWAY_URL, gatewayAnswer } from './gatewayUrl.ts'
import { wholeNumber } from './options.ts'
import { say } from './output.ts'

const CONFIG = '--config <file>'
const CONFIG_HELP = 'TOML; docs/gateway.md lists every key with its unit and default'

/** The edge: `backfeed gateway` runs it, its subcommands look at one. */
export function gatewayCommand(): Command {
  const command = new Command('gateway')
    .description(
      'Run a gateway: OCPP stations, MQTT chargers, meters and grid events become signed, delivered records.',
    )
    .option(CONFIG, CONFIG_HELP)
    .addHelpText('after', () => configHelp(gatewayConfigSchema))
    .action(async ({ config: path }: { config?: string }) => {
      const { config, configPath } = configOf(path)
      const { startGateway } = await import('../gateway/main.ts')
      const log = createLogger({ service: 'gateway', level: config.log.level })
      process.exitCode = await runUntilSignal(log, (signal) => startGateway(config, { signal, log, configPath }))
    })
  for (const subcommand of [checkCommand(), statusCommand(), ...gatewayActions(), ocmfCommand()])
    command.addCommand(subcommand)
  return command
}

/** The option may stand before or behind the subcommand's name. */
function configOf(path: string | undefined): { config: Readonly<GatewayConfig>; configPath: string } {
  if (path === undefined) throw new BackfeedError('USAGE', '--config <file> is missing', { exitCode: ExitCode.usage })
  return { config: loadConfig({ path, schema: gatewayConfigSchema }), configPath: path }
}

function checkCommand(): Command {
  return new Command('check')
    .description('Look at everything a start would stumble over, keys, certificates and L1 included, without serving.')
    .option(CONFIG, CONFIG_HELP)
    .action(async (_options, command: Command) => {
      const { config, configPath } = configOf(command.optsWithGlobals<{ config?: string }>().config)
      const { checkGateway } = await import('../gateway/check.ts')
      let faults = 0
      for await (const { what, problem, isWarning } of checkGateway(config, { configPath, log: silentLogger() })) {
        if (problem !== undefined && isWarning !== true) faults++
        const mark = problem === undefined ? 'ok   ' : isWarning === true ? 'wait ' : 'FAULT'
        say(`${mark} ${what}${problem === undefined ? '' : `: ${problem}`}`)
      }
      if (faults > 0) process.exitCode = ExitCode.usage
    })
}

function statusCommand(): Command {
  return new Command('status')
    .description(
      'Show how a running gateway is: sources, EVSEs, what waits, what is wrong. Exit code 1 when it is not healthy.',
    )
    .option(...GATEWAY_URL)
    .option('--watch', 'again and again, until Ctrl-C')
    .option('--every <ms>', 'between looks with --watch', wholeNumber(100, 3_600_000), 1_000)
    .option('--json', 'as the gateway answers it')
    .option('--all', 'every EVSE, however many')
    .action(async (options: StatusOptions) => {
      if (options.watch === true) return await watchStatus(options)
      const status = await readStatus(options.url)
      say(await shown(status, options))
      if (!status.healthy) process.exitCode = ExitCode.internalFault
    })
}

interface StatusOptions {
  readonly url: string
  readonly watch?: boolean
  readonly every: number
  readonly json?: boolean
  readonly all?: boolean
}

type Status = Awaited<ReturnType<typeof readStatus>>

async function readStatus(url: string) {
  const { parseGatewayStatus } = await import('../gateway/statusAnswer.ts')
  return parseGatewayStatus(await gatewayAnswer(url, '/v1/status'))
}

async function shown(status: Status, options: StatusOptions): Promise<string> {
  if (options.json === true) return JSON.stringify(status, undefined, 2)
  const { statusLines } = await import('../gateway/statusView.ts')
  const { stripVTControlCharacters } = await import('node:util')
  const { isTTY, columns, rows } = process.stdout
  const size = { columns: isTTY ? columns : 200, rows: isTTY && options.all !== true ? rows - 1 : undefined }
  const text = statusLines(status, size).join('\n')
  return isTTY ? text : stripVTControlCharacters(text)
}

/** A screen of its own, as `top` has: what was there before comes back at the end. */
async function watchStatus(options: StatusOptions): Promise<void> {
  const { pause } = await import('../runtime/wait.ts')
  const ended = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort())
  const isScreen = process.stdout.isTTY
  if (isScreen) process.stdout.write('\u001b[?1049h\u001b[?25l')
  try {
    while (!ended.signal.aborted) {
      const text = await readStatus(options.url).then(
        (status) => shown(status, options),
        (error: Error) => error.message,
      )
      process.stdout.write(isScreen ? `\u001b[H\u001b[J${text}` : `${text}\n\n`)
      await pause(options.every, ended.signal)
    }
  } finally {
    if (isScreen) process.stdout.write('\u001b[?25h\u001b[?1049l')
  }
}
