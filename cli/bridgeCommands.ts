import { onLane } from './onL1.ts'
import { dollars } from '../bridge/money.ts'
import { Command, Option } from 'commander'
import type { Address } from 'viem'
import { type ContractCredit, type LaneCredits, readCredits } from '../bridge/credit.ts'
import { fundLane } from '../bridge/funding.ts'
import { type LaneReplay, openLaneReplay } from '../bridge/laneReplay.ts'
import { claimRefund, noticeRefund } from '../bridge/refund.ts'
import { fetchSequencerClaim } from '../bridge/sequencerClaim.ts'
import { withdraw, withdrawMany } from '../bridge/withdraw.ts'
import { fastClaim, withdrawFast } from '../bridge/withdrawFast.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { attesterCommand } from './attesterCommands.ts'
import { forceCommand } from './forceCommands.ts'
import { disputeCommand, reportCommand } from './disputeCommands.ts'
import { callerFrom, type OperatorContext, openContext } from './operatorConfig.ts'
import { address, id, tokenAmount } from './options.ts'
import { say } from './output.ts'
import { promiseCommand } from './receiptCommands.ts'

const KEY = ['--key <file>', 'file with the hex key of the account that pays the gas'] as const
const AMOUNT = ['--amount <token>', 'of the settlement token, up to 6 decimals: 12.5', tokenAmount] as const

interface LaneOptions {
  config?: string
  lane: number
}

export function bridgeCommand(): Command {
  return new Command('bridge')
    .description(
      'Funding, credits, withdrawals, refunds and disputes of a lane, records forced into it, its operator’s promises.',
    )
    .addCommand(fundCommand())
    .addCommand(creditCommand())
    .addCommand(withdrawCommand())
    .addCommand(withdrawAllCommand())
    .addCommand(refundCommand())
    .addCommand(forceCommand())
    .addCommand(attesterCommand())
    .addCommand(disputeCommand())
    .addCommand(reportCommand())
    .addCommand(promiseCommand())
}

function fundCommand(): Command {
  return onLane('fund', 'Put money into a lane’s escrow; settlement sees it 30 minutes later.')
    .requiredOption(...KEY)
    .requiredOption(...AMOUNT)
    .action(async (options: LaneOptions & { key: string; amount: bigint }) => {
      const { client, contracts } = await openContext(options.config)
      await fundLane(callerFrom(client, options.key), contracts, { lane: options.lane, amountMicro: options.amount })
      say(`lane ${options.lane} funded with ${dollars(options.amount)}`)
    })
}

function creditCommand(): Command {
  return onLane('credit', 'Show what contracts have earned, worked out from L1 alone.')
    .option('--slot <id>', 'one contract only', id)
    .option('--owner <address>', 'only contracts whose vehicle belongs to this address', address)
    .option('--json', 'one JSON object a line; money in micro (10^-6 token)')
    .action(async (options: LaneOptions & { slot?: number; owner?: Address; json?: boolean }) => {
      const { replay, credits } = await replayedCredits(await openContext(options.config), options)
      const shown = credits.credits.filter(({ owner }) => options.owner === undefined || owner === options.owner)
      if (options.json === true) for (const credit of shown) say(JSON.stringify(credit, bigintsAsStrings))
      else printCredits(replay, shown)
    })
}

function withdrawCommand(): Command {
  return onLane('withdraw', 'Pay one contract’s owner what is final. Anyone may do this for an owner.')
    .requiredOption('--slot <id>', 'the contract', id)
    .requiredOption(...KEY)
    .addOption(
      new Option('--sequencer <url>', 'take the claim from this sequencer instead of working it out from L1').conflicts(
        'fast',
      ),
    )
    .option('--fast', 'pay what attesters have signed, without waiting for it to be final; within their limits')
    .action(async (options: LaneOptions & { slot: number; key: string; sequencer?: string; fast?: boolean }) => {
      const context = await openContext(options.config)
      if (options.fast === true) {
        await payFast(context, options)
        return
      }
      const { base, claim } =
        options.sequencer === undefined
          ? await replayedClaim(context, options)
          : await fetchSequencerClaim(options.sequencer, options)
      const caller = callerFrom(context.client, options.key)
      const { payments } = await withdraw(caller, context.contracts.vault, base, claim)
      for (const { owner, amountMicro } of payments) say(`${dollars(amountMicro)} paid to ${owner}`)
    })
}

async function payFast(context: OperatorContext, options: { lane: number; slot: number; key: string }): Promise<void> {
  const replay = await openLaneReplay({ ...context, lane: options.lane })
  const fast = await fastClaim(replay, { ...context, lane: options.lane, slot: options.slot })
  const { payments } = await withdrawFast(callerFrom(context.client, options.key), context.contracts, fast)
  for (const { owner, amountMicro } of payments) {
    say(`${dollars(amountMicro)} paid to ${owner} against batch ${fast.base.header.index}`)
  }
}

function withdrawAllCommand(): Command {
  return onLane('withdraw-all', 'Pay every owner of a lane what is final, in as few transactions as fit.')
    .requiredOption(...KEY)
    .option('--owner <address>', 'only contracts whose vehicle belongs to this address', address)
    .action(async (options: LaneOptions & { key: string; owner?: Address }) => {
      const context = await openContext(options.config)
      const { credits } = await replayedCredits(context, options)
      const wanted = new Set(
        credits.credits
          .filter(({ owner }) => options.owner === undefined || owner === options.owner)
          .map(({ slot }) => slot),
      )
      const claims = credits.claims.filter(({ slot }) => wanted.has(slot))
      if (claims.length === 0) {
        say('nothing to withdraw')
        return
      }
      const caller = callerFrom(context.client, options.key)
      const done = await withdrawMany(caller, context.contracts.vault, credits.base, claims, (paid) => {
        for (const { slot, owner, amountMicro } of paid)
          say(`contract ${slot}: ${dollars(amountMicro)} paid to ${owner}`)
      })
      say(`${done.payments.length} contracts in ${done.transactions} transactions, ${done.gasUsed} gas`)
    })
}

function refundCommand(): Command {
  return new Command('refund')
    .description('Take back what a lane has not spent: the zone’s operator only.')
    .addCommand(
      onLane('notice', 'Announce a refund; it lowers the lane’s funding 30 minutes later.')
        .requiredOption(...KEY)
        .requiredOption(...AMOUNT)
        .action(async (options: LaneOptions & { key: string; amount: bigint }) => {
          const { client, contracts } = await openContext(options.config)
          const caller = callerFrom(client, options.key)
          const notice = await noticeRefund(caller, contracts.vault, {
            lane: options.lane,
            amountMicro: options.amount,
          })
          say(`notice ${notice.notice}, in effect from ${new Date(notice.effectiveFrom * 1000).toISOString()}`)
        }),
    )
    .addCommand(
      onLane('claim', 'Take a noticed refund, once a batch that has seen the notice is final.')
        .requiredOption(...KEY)
        .requiredOption('--notice <id>', 'as `refund notice` said', id)
        .action(async (options: LaneOptions & { key: string; notice: number }) => {
          const context = await openContext(options.config)
          const replay = await openLaneReplay({ ...context, lane: options.lane })
          await replay.advanceTo(replay.finalIndex)
          const claim = { header: replay.header, state: replay.state, notice: options.notice }
          const paid = await claimRefund(callerFrom(context.client, options.key), context.contracts.vault, claim)
          say(`${dollars(paid.paidMicro)} paid, ${dollars(paid.returnedMicro)} returned to the lane`)
        }),
    )
}

async function replayedCredits(
  context: OperatorContext,
  options: { lane: number; slot?: number },
): Promise<{ replay: LaneReplay; credits: LaneCredits }> {
  const replay = await openLaneReplay({ ...context, lane: options.lane })
  const slots = options.slot === undefined ? {} : { slots: [options.slot] }
  return { replay, credits: await readCredits(replay, { ...context, lane: options.lane, ...slots }) }
}

async function replayedClaim(context: OperatorContext, options: { lane: number; slot: number }) {
  const { credits } = await replayedCredits(context, options)
  const [claim] = credits.claims
  if (claim === undefined) {
    throw new BackfeedError('NOTHING_TO_WITHDRAW', `contract ${options.slot} has nothing to withdraw now`, {
      exitCode: ExitCode.refusedByL1,
    })
  }
  return { base: credits.base, claim }
}

function printCredits(replay: LaneReplay, credits: readonly ContractCredit[]): void {
  say(`newest batch ${replay.tipIndex}, newest final batch ${replay.finalIndex}; amounts of the settlement token`)
  say(
    'contract  owner                                             earned          final      withdrawn        clawed        pending',
  )
  for (const credit of credits) {
    const { creditedMicro, finalMicro, withdrawnMicro, clawbackMicro, pendingMicro } = credit
    const money = [creditedMicro, finalMicro, withdrawnMicro, clawbackMicro, pendingMicro]
    const held = credit.heldFrom === 0n ? '' : `  held from batch ${credit.heldFrom}`
    say(
      `${String(credit.slot).padStart(8)}  ${credit.owner}${money.map((micro) => dollars(micro).padStart(15)).join('')}${held}`,
    )
  }
}

function bigintsAsStrings(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
