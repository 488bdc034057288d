import { CALLER_KEY, onLane } from './onL1.ts'
import { Command } from 'commander'
import { dollars } from '../bridge/money.ts'
import { openLaneView } from '../l1/laneView/laneView.ts'
import { earliestEnd, endContract, endEvse, releaseDeposit } from '../l1/operate/endings.ts'
import type { LaneRules, Slots } from '../protocol/laneRules.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { callerFrom, type OperatorContext, openContext } from './operatorConfig.ts'
import { id, instant } from './options.ts'
import { isoTime, say } from './output.ts'
import { registerFromFiles } from './registrationCommands.ts'

const AT = [
  '--at <time>',
  'such as 2026-09-22T17:15:00Z, at least 30 minutes away; default: as soon as L1 allows',
] as const

/** `endsAt` of a slot that has not been ended. */
const OPEN_END = 0xffffffff

interface SlotOptions {
  config?: string
  lane: number
  slot: number
}

export function evseCommand(): Command {
  return new Command('evse')
    .description('The EVSEs of a lane: what L1 holds of them, their end, and new keys for old.')
    .addCommand(
      listCommand('Show the lane’s EVSEs: rated power, and from when to when they count.', (rules) => ({
        slots: rules.evses,
        about: (slot) => `${rules.evseRatedW(slot)} W`,
      })),
    )
    .addCommand(endEvseCommand())
    .addCommand(rotateCommand())
    .addCommand(releaseDepositCommand())
}

export function contractCommand(): Command {
  return new Command('contract')
    .description('The contracts of a lane: what L1 holds of them, and their end.')
    .addCommand(
      listCommand('Show the lane’s contracts: vehicle, incentive, and from when to when they count.', (rules) => ({
        slots: rules.contracts,
        about: (slot) => `vehicle ${rules.contractVehicle(slot)}, ${rules.contractIncentiveBps(slot)} bps`,
      })),
    )
    .addCommand(endContractCommand())
}

function slotCommand(name: string, description: string): Command {
  return onLane(name, description).requiredOption('--slot <id>', 'the slot in the lane', id)
}

function listCommand(
  description: string,
  pick: (rules: LaneRules) => { slots: Slots; about: (slot: number) => string },
): Command {
  return onLane('list', description).action(async (options: { config?: string; lane: number }) => {
    const { slots, about } = pick(await rulesNow(await openContext(options.config), options.lane))
    for (let slot = 0; slot < slots.count; slot++) {
      const endsAt = slots.endsAt[slot]!
      const until = endsAt === OPEN_END ? '' : ` to ${isoTime(endsAt)}`
      say(`${slot}  ${about(slot)}, from ${isoTime(slots.activeFrom[slot]!)}${until}`)
    }
  })
}

function endEvseCommand(): Command {
  return slotCommand(
    'end',
    'Revoke an EVSE: lane’s owner or operator, or the zone’s certifier. A key never comes back.',
  )
    .requiredOption(...CALLER_KEY)
    .option(...AT, instant)
    .action(async (options: SlotOptions & { key: string; at?: number }) => {
      const { client, contracts } = await openContext(options.config)
      const caller = callerFrom(client, options.key)
      const endsAt = options.at ?? (await earliestEnd(caller))
      await endEvse(caller, contracts.registry, { ...options, endsAt })
      say(`EVSE ${options.slot} ends at ${isoTime(endsAt)}`)
    })
}

function rotateCommand(): Command {
  return slotCommand(
    'rotate',
    'A new key for an EVSE: registers it in the lane’s next slot and ends the old slot some minutes after the new one counts.',
  )
    .requiredOption(...CALLER_KEY)
    .requiredOption('--evses <file>', 'the EVSE with its new key, one line as for `register-evses`')
    .requiredOption('--certificate <file>', 'what `certify` printed for that file')
    .action(async (options: SlotOptions & { key: string; evses: string; certificate: string }) => {
      const context = await openContext(options.config)
      const caller = callerFrom(context.client, options.key)
      const { firstSlot, count } = await registerFromFiles(caller, context, options)
      if (count !== 1) throw new BackfeedError('ONE_EVSE_ONLY', `${options.evses} holds ${count} EVSEs`, usage)
      const endsAt = await earliestEnd(caller)
      await endEvse(caller, context.contracts.registry, { ...options, endsAt })
      say(`EVSE ${firstSlot} replaces EVSE ${options.slot}, which ends at ${isoTime(endsAt)}`)
    })
}

function releaseDepositCommand(): Command {
  return slotCommand('release-deposit', 'Pay an ended EVSE’s deposit back to the lane’s owner, 21 days after its end.')
    .requiredOption(...CALLER_KEY)
    .action(async (options: SlotOptions & { key: string }) => {
      const context = await openContext(options.config)
      const rules = await rulesNow(context, options.lane)
      const descriptor = descriptorOf(rules.evses, options)
      const caller = callerFrom(context.client, options.key)
      const paid = await releaseDeposit(caller, context.contracts.registry, { ...options, descriptor })
      say(`${dollars(paid.amountMicro)} paid to ${paid.to}`)
    })
}

function endContractCommand(): Command {
  return slotCommand(
    'end',
    'End a contract: lane’s owner or operator, or the vehicle’s owner. What it earned stays earned.',
  )
    .requiredOption(...CALLER_KEY)
    .option(...AT, instant)
    .action(async (options: SlotOptions & { key: string; at?: number }) => {
      const context = await openContext(options.config)
      const caller = callerFrom(context.client, options.key)
      const descriptor = descriptorOf((await rulesNow(context, options.lane)).contracts, options)
      const endsAt = options.at ?? (await earliestEnd(caller))
      await endContract(caller, context.contracts.registry, { ...options, endsAt, descriptor })
      say(`contract ${options.slot} ends at ${isoTime(endsAt)}`)
    })
}

const usage = { exitCode: ExitCode.usage }

function descriptorOf(slots: Slots, { lane, slot }: { lane: number; slot: number }): Uint8Array {
  if (slot >= slots.count) throw new BackfeedError('SLOT_EMPTY', `slot ${slot} of lane ${lane} is empty`, usage)
  return slots.descriptor(slot)
}

async function rulesNow({ client, contracts }: OperatorContext, lane: number): Promise<LaneRules> {
  const view = await openLaneView({ client, contracts, lane })
  await view.catchUp(await client.getBlock())
  return view.rules
}
