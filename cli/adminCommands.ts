import { CALLER_KEY, onL1 } from './onL1.ts'
import { Command, Option } from 'commander'
import { createWalletClient, custom, type Address } from 'viem'
import { deploy } from '../l1/deploy.ts'
import { announceBondExit, cancelBondExit, depositBond, openLane, openZone, withdrawBond } from '../l1/operate/lanes.ts'
import { contractsOf } from '../l1/operate/deployment.ts'
import { readBond } from '../l1/operate/standing.ts'
import { mintVehicles } from '../l1/operate/registration.ts'
import { describeBond, laneCommand } from './laneCommands.ts'
import { Scheme } from '../protocol/scheme.ts'
import { keygenCommand } from './keygenCommand.ts'
import { callerFrom, openClient, openContext } from './operatorConfig.ts'
import { address, etherAmount, id } from './options.ts'
import { say } from './output.ts'
import { certifyCommand, consentCommand, enrolCommand, registerEvsesCommand } from './registrationCommands.ts'
import { contractCommand, evseCommand } from './slotCommands.ts'
import { pricesCommand, tariffCommand } from './tariffCommands.ts'
import { zoneCommand } from './zoneCommands.ts'

export function adminCommand(): Command {
  return new Command('admin')
    .description('What operators of zones and lanes do on L1.')
    .addCommand(keygenCommand())
    .addCommand(deployCommand())
    .addCommand(openZoneCommand())
    .addCommand(openLaneCommand())
    .addCommand(zoneCommand())
    .addCommand(laneCommand())
    .addCommand(bondCommand())
    .addCommand(certifyCommand())
    .addCommand(registerEvsesCommand())
    .addCommand(evseCommand())
    .addCommand(mintVehicleCommand())
    .addCommand(consentCommand())
    .addCommand(enrolCommand())
    .addCommand(contractCommand())
    .addCommand(tariffCommand())
    .addCommand(pricesCommand())
}

interface CallOptions {
  config?: string
  key: string
}

function deployCommand(): Command {
  return new Command('deploy')
    .description('Deploy one Backfeed and print its [contracts] section.')
    .option('--config <file>', 'TOML with [l1]')
    .requiredOption(...CALLER_KEY)
    .option(
      '--token <address>',
      'settlement token with 6 decimals; without it a token that anyone can mint is deployed',
      address,
    )
    .action(async (options: CallOptions & { token?: Address }) => {
      const client = await openClient(options.config)
      const { account } = callerFrom(client, options.key)
      const wallet = createWalletClient({ account, chain: client.chain, transport: custom(client) })
      const deployment = await deploy(wallet, client, options.token === undefined ? {} : { token: options.token })
      say('[contracts]')
      for (const [name, value] of Object.entries(contractsOf(deployment))) {
        say(`${name} = ${typeof value === 'number' ? value : `"${value}"`}`)
      }
    })
}

function openZoneCommand(): Command {
  return onL1('open-zone', 'Open a zone; the caller becomes its operator.')
    .requiredOption(...CALLER_KEY)
    .requiredOption('--publisher <address>', 'writes prices', address)
    .requiredOption('--certifier <address>', 'certifies EVSEs', address)
    .action(async (options: CallOptions & { publisher: Address; certifier: Address }) => {
      const { client, contracts } = await openContext(options.config)
      say(`zone ${await openZone(callerFrom(client, options.key), contracts.registry, options)}`)
    })
}

function openLaneCommand(): Command {
  return onL1('open-lane', 'Open a lane in a zone; the caller becomes its owner.')
    .requiredOption(...CALLER_KEY)
    .requiredOption('--zone <id>', 'the zone', id)
    .requiredOption('--operator <address>', 'account of the sequencer', address)
    .addOption(
      new Option('--scheme <scheme>', 'how its EVSEs sign; a lane keeps it for good')
        .choices(['p256', 'bls'])
        .default('p256'),
    )
    .action(async (options: CallOptions & { zone: number; operator: Address; scheme: 'p256' | 'bls' }) => {
      const { client, contracts } = await openContext(options.config)
      const scheme = options.scheme === 'bls' ? Scheme.BLS : Scheme.P256
      say(`lane ${await openLane(callerFrom(client, options.key), contracts.rollup, { ...options, scheme })}`)
    })
}

function bondCommand(): Command {
  const command = (name: string, description: string): Command => onL1(name, description).requiredOption(...CALLER_KEY)
  return new Command('bond')
    .description('The bond of an account that posts batches.')
    .addCommand(
      command('deposit', 'Add to the caller’s bond; at least 10 ether in all are needed to post.')
        .requiredOption('--ether <amount>', 'up to 18 decimals', etherAmount)
        .action(async (options: CallOptions & { ether: bigint }) => {
          const { client, contracts } = await openContext(options.config)
          await depositBond(callerFrom(client, options.key), contracts.rollup, options.ether)
          say('deposited')
        }),
    )
    .addCommand(
      command('exit', 'Stop posting; the bond can be withdrawn 21 days later.').action(async (options: CallOptions) => {
        const { client, contracts } = await openContext(options.config)
        await announceBondExit(callerFrom(client, options.key), contracts.rollup)
        say('exit announced')
      }),
    )
    .addCommand(
      command('cancel-exit', 'Take an announced exit back; the account may post again.').action(
        async (options: CallOptions) => {
          const { client, contracts } = await openContext(options.config)
          await cancelBondExit(callerFrom(client, options.key), contracts.rollup)
          say('exit cancelled')
        },
      ),
    )
    .addCommand(
      onL1('show', 'Show an account’s bond, and whether it may post.')
        .requiredOption('--account <address>', 'whose bond', address)
        .action(async (options: { config?: string; account: Address }) => {
          const { client, contracts } = await openContext(options.config)
          say(describeBond(await readBond(client, contracts.rollup, options.account)))
        }),
    )
    .addCommand(
      command('withdraw', 'Take the bond out after the exit’s delay.')
        .requiredOption('--to <address>', 'where the ether goes', address)
        .action(async (options: CallOptions & { to: Address }) => {
          const { client, contracts } = await openContext(options.config)
          await withdrawBond(callerFrom(client, options.key), contracts.rollup, options.to)
          say('withdrawn')
        }),
    )
}

function mintVehicleCommand(): Command {
  return onL1('mint-vehicle', 'Mint a vehicle’s token for its owner.')
    .requiredOption(...CALLER_KEY)
    .requiredOption('--owner <address>', 'is paid what the vehicle earns', address)
    .action(async (options: CallOptions & { owner: Address }) => {
      const { client, contracts } = await openContext(options.config)
      const [vehicle] = await mintVehicles(callerFrom(client, options.key), contracts.vehicle, [options.owner])
      say(`vehicle ${vehicle}`)
    })
}
