import { onL1 } from './onL1.ts'
import { Command } from 'commander'
import { type Address, zeroAddress } from 'viem'
import { acceptZoneOperator, proposeZoneOperator, setZoneRoles } from '../l1/operate/ownership.ts'
import { readZone } from '../l1/operate/standing.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { callerFrom, openContext } from './operatorConfig.ts'
import { address, id } from './options.ts'
import { say } from './output.ts'

const KEY = ['--key <file>', 'file with the hex key of the zone’s operator'] as const

interface ZoneOptions {
  config?: string
  zone: number
}

export function zoneCommand(): Command {
  return new Command('zone')
    .description('Who answers for a zone, writes its prices and certifies its EVSEs.')
    .addCommand(showCommand())
    .addCommand(setRolesCommand())
    .addCommand(proposeOperatorCommand())
    .addCommand(acceptOperatorCommand())
}

function command(name: string, description: string): Command {
  return onL1(name, description).requiredOption('--zone <id>', 'the zone', id)
}

function showCommand(): Command {
  return command('show', 'Show a zone’s operator, publisher and certifier.').action(async (options: ZoneOptions) => {
    const { client, contracts } = await openContext(options.config)
    const zone = await readZone(client, contracts.registry, options.zone)
    if (zone.operator === zeroAddress) {
      throw new BackfeedError('ZONE_UNKNOWN', `there is no zone ${options.zone}`, { exitCode: ExitCode.usage })
    }
    const offered = zone.pendingOperator === zeroAddress ? '' : `, offered to ${zone.pendingOperator}`
    say(`operator ${zone.operator}${offered}`)
    say(`publisher ${zone.publisher}`)
    say(`certifier ${zone.certifier}`)
  })
}

function setRolesCommand(): Command {
  return command('set-roles', 'Replace the accounts that write prices and certify EVSEs, in force at once.')
    .requiredOption(...KEY)
    .requiredOption('--publisher <address>', 'writes prices', address)
    .requiredOption('--certifier <address>', 'certifies EVSEs', address)
    .action(async (options: ZoneOptions & { key: string; publisher: Address; certifier: Address }) => {
      const { client, contracts } = await openContext(options.config)
      await setZoneRoles(callerFrom(client, options.key), contracts.registry, options)
      say(`publisher ${options.publisher}, certifier ${options.certifier}`)
    })
}

function proposeOperatorCommand(): Command {
  return command('propose-operator', 'Offer the zone to another operator, who accepts with `zone accept-operator`.')
    .requiredOption(...KEY)
    .requiredOption('--operator <address>', 'the new operator', address)
    .action(async (options: ZoneOptions & { key: string; operator: Address }) => {
      const { client, contracts } = await openContext(options.config)
      await proposeZoneOperator(callerFrom(client, options.key), contracts.registry, options)
      say(`offered to ${options.operator}`)
    })
}

function acceptOperatorCommand(): Command {
  return command('accept-operator', 'Become the operator of a zone that was offered.')
    .requiredOption('--key <file>', 'file with the hex key of the new operator')
    .action(async (options: ZoneOptions & { key: string }) => {
      const { client, contracts } = await openContext(options.config)
      const caller = callerFrom(client, options.key)
      await acceptZoneOperator(caller, contracts.registry, options.zone)
      say(`operator ${caller.account.address}`)
    })
}
