import { onLane } from './onL1.ts'
import { Command } from 'commander'
import { type Address, zeroAddress } from 'viem'
import type { Caller } from '../l1/contractCall.ts'
import type { Contracts } from '../l1/contracts.ts'
import { cancelBondExit, depositBond } from '../l1/operate/lanes.ts'
import { acceptLaneOwner, proposeLaneOwner, setOperator } from '../l1/operate/ownership.ts'
import { readBond, readLane } from '../l1/operate/standing.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { callerFrom, openContext } from './operatorConfig.ts'
import { address } from './options.ts'
import { isoTime, say } from './output.ts'

const OWNER_KEY = ['--key <file>', 'file with the hex key of the lane’s owner'] as const

interface LaneOptions {
  config?: string
  lane: number
}

export function laneCommand(): Command {
  return new Command('lane')
    .description('Who answers for a lane, and what it needs to be posted to.')
    .addCommand(showCommand())
    .addCommand(setOperatorCommand())
    .addCommand(proposeOwnerCommand())
    .addCommand(acceptOwnerCommand())
    .addCommand(reopenCommand())
}

function showCommand(): Command {
  return onLane('show', 'Show a lane’s owner, operator, newest batch and its operator’s bond.').action(
    async (options: LaneOptions) => {
      const { client, contracts } = await openContext(options.config)
      const lane = await readLane(client, contracts.rollup, options.lane)
      say(`lane ${options.lane} of zone ${lane.zone}, scheme ${lane.scheme === 0 ? 'P-256' : 'BLS12-381'}`)
      say(
        `owner ${lane.owner}${lane.pendingOwner === zeroAddress ? '' : `, offered to ${lane.pendingOwner}`}, operator ${lane.operator}`,
      )
      say(`newest batch ${lane.tip}, dated ${isoTime(lane.tipAsOf)}`)
      say(describeBond(await readBond(client, contracts.rollup, lane.operator)))
    },
  )
}

function setOperatorCommand(): Command {
  return onLane(
    'set-operator',
    'Name the account that posts the lane’s batches, in force at once. Let the old one post what it has promised first.',
  )
    .requiredOption(...OWNER_KEY)
    .requiredOption('--operator <address>', 'account of the sequencer', address)
    .action(async (options: LaneOptions & { key: string; operator: Address }) => {
      const { client, contracts } = await openContext(options.config)
      await setOperator(callerFrom(client, options.key), contracts.rollup, options)
      say(`operator ${options.operator}`)
      say(describeBond(await readBond(client, contracts.rollup, options.operator)))
    })
}

function proposeOwnerCommand(): Command {
  return onLane('propose-owner', 'Offer the lane to another owner, who accepts with `lane accept-owner`.')
    .requiredOption(...OWNER_KEY)
    .requiredOption('--owner <address>', 'the new owner', address)
    .action(async (options: LaneOptions & { key: string; owner: Address }) => {
      const { client, contracts } = await openContext(options.config)
      await proposeLaneOwner(callerFrom(client, options.key), contracts.rollup, options)
      say(`offered to ${options.owner}`)
    })
}

function acceptOwnerCommand(): Command {
  return onLane('accept-owner', 'Become the owner of a lane that was offered.')
    .requiredOption('--key <file>', 'file with the hex key of the new owner')
    .action(async (options: LaneOptions & { key: string }) => {
      const { client, contracts } = await openContext(options.config)
      const caller = callerFrom(client, options.key)
      await acceptLaneOwner(caller, contracts.rollup, options.lane)
      say(`owner ${caller.account.address}`)
    })
}

function reopenCommand(): Command {
  return onLane(
    'reopen',
    'After a slash or an announced exit: bring the operator’s bond back to what posting needs. Called with the operator’s own key.',
  )
    .requiredOption('--key <file>', 'file with the hex key of the lane’s operator')
    .action(async (options: LaneOptions & { key: string }) => {
      const { client, contracts } = await openContext(options.config)
      const caller = callerFrom(client, options.key)
      const lane = await readLane(client, contracts.rollup, options.lane)
      if (lane.operator !== caller.account.address) {
        throw new BackfeedError(
          'NOT_OPERATOR',
          `${caller.account.address} is not the operator of lane ${options.lane}, ${lane.operator} is: its owner can name another (lane set-operator)`,
          { exitCode: ExitCode.usage },
        )
      }
      await reopen(caller, contracts)
      say(`lane ${options.lane} can be posted to; its newest batch is ${lane.tip}`)
    })
}

async function reopen(caller: Caller, contracts: Contracts): Promise<void> {
  const bond = await readBond(caller.client, contracts.rollup, caller.account.address)
  if (bond.missingWei > 0n) {
    await depositBond(caller, contracts.rollup, bond.missingWei)
    say(`${ether(bond.missingWei)} ether deposited`)
  }
  if (bond.releaseAt !== undefined) {
    await cancelBondExit(caller, contracts.rollup)
    say('announced exit cancelled')
  }
}

/** One line on whether an account may post. */
export function describeBond(bond: Awaited<ReturnType<typeof readBond>>): string {
  const notes = [
    ...(bond.missingWei > 0n ? [`${ether(bond.missingWei)} too little to post`] : []),
    ...(bond.releaseAt === undefined ? [] : [`leaving: can be withdrawn from ${isoTime(bond.releaseAt)}`]),
  ]
  return `bond ${ether(bond.wei)} ether${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`
}

function ether(wei: bigint): string {
  const fraction = (wei % 10n ** 18n).toString().padStart(18, '0').replace(/0+$/, '')
  return `${wei / 10n ** 18n}${fraction === '' ? '' : `.${fraction}`}`
}
