import { Command, Option } from 'commander'
import { ExitCode } from '../runtime/errors.ts'
import { LOG_LEVELS, type LogLevel } from '../runtime/log.ts'
import { withInterrupt } from './interrupt.ts'
import { wholeNumber } from './options.ts'

interface Options {
  seed: string
  ocpp: number
  mqtt: number
  periods: number
  kills: number
  brokerRestarts: number
  gatewayLog?: string
  logLevel: LogLevel
}

export function eveningCommand(): Command {
  return new Command('evening')
    .description(
      'Run an evening of OCPP stations and MQTT chargers against a real gateway that is killed, among cut links and a restarted broker. ' +
        'Exit code 4 when the energy credited on L1 is not what was metered, to the watt-hour.',
    )
    .option('--seed <text>', 'of keys, sessions and disturbances', '1')
    .option('--ocpp <count>', 'chargers behind OCPP stations', wholeNumber(1, 1_000), 100)
    .option('--mqtt <count>', 'chargers that sign by themselves and speak MQTT', wholeNumber(0, 1_000), 100)
    .option('--periods <count>', 'quarter hours from 17:00 on', wholeNumber(2, 96), 8)
    .option('--kills <count>', 'times that the gateway is killed', wholeNumber(0, 100), 5)
    .option('--broker-restarts <count>', 'times that the broker is restarted', wholeNumber(0, 100), 3)
    .option('--gateway-log <file>', 'keep the gateway’s own log')
    .addOption(
      new Option('--log-level <level>', 'of the sequencer and the chargers, on standard error')
        .choices([...LOG_LEVELS])
        .default('error'),
    )
    .action(runCommand)
}

async function runCommand(options: Options): Promise<void> {
  const { runEvening } = await import('../devnet/evening/evening.ts')
  const { Screen } = await import('../devnet/screen.ts')
  const { seed, periods, kills, brokerRestarts, gatewayLog, logLevel } = options
  await withInterrupt(async (signal) => {
    const found = await runEvening({
      seed,
      periods,
      kills,
      brokerRestarts,
      gatewayLog,
      logLevel,
      ocppEvses: options.ocpp,
      mqttEvses: options.mqtt,
      screen: new Screen(),
      signal,
    })
    process.exitCode = found.length === 0 ? ExitCode.ok : ExitCode.dataCorrupted
  })
}
