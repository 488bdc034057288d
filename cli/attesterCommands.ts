import { CALLER_KEY, LANE, onL1 } from './onL1.ts'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { SecretKey } from '@chainsafe/blst'
import { Command } from 'commander'
import type { Address } from 'viem'
import { dollars } from '../bridge/money.ts'
import { readBlsKeyFile } from '../l1/attest/blsKeyFile.ts'
import { RosterReader } from '../l1/attest/roster.ts'
import { LaneDeriver } from '../l1/derive/laneDeriver.ts'
import type { DerivedBatch } from '../l1/derive/laneHistory.ts'
import {
  addStake,
  announceLeave,
  joinAttesters,
  settleAttestation,
  slashAttesters,
  withdrawStake,
} from '../l1/operate/attesters.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { callerFrom, type OperatorContext, openContext } from './operatorConfig.ts'
import { address, tokenAmount, wholeNumber } from './options.ts'
import { say } from './output.ts'

const STAKE = ['--amount <token>', 'of the settlement token, up to 6 decimals: 1000', tokenAmount] as const
const ATTESTER = ['--attester <id>', 'as `attester join` said', wholeNumber(0, 255)] as const

interface CallOptions {
  config?: string
  key: string
}

type OfAttester = CallOptions & { attester: number }
type OfBatch = CallOptions & { lane: number; batch: number }

export function attesterCommand(): Command {
  return new Command('attester')
    .description('Attesters: who vouches with a stake for batches that are not final, so that owners are paid fast.')
    .addCommand(keygenCommand())
    .addCommand(joinCommand())
    .addCommand(stakeCommand())
    .addCommand(leaveCommand())
    .addCommand(withdrawCommand())
    .addCommand(statusCommand())
    .addCommand(slashCommand())
    .addCommand(settleCommand())
}

function callCommand(name: string, description: string): Command {
  return onL1(name, description).requiredOption(...CALLER_KEY)
}

function keygenCommand(): Command {
  return new Command('keygen')
    .description('Make an attester’s BLS key; prints the public part. An existing file is never overwritten.')
    .requiredOption('--out <file>', 'where the secret key goes, 32 bytes of hex, readable by its owner alone')
    .action(({ out }: { out: string }) => {
      const key = SecretKey.fromKeygen(randomBytes(32))
      try {
        writeFileSync(out, `${key.toHex()}\n`, { flag: 'wx', mode: 0o600 })
      } catch (cause) {
        throw new BackfeedError('KEY_UNWRITABLE', `cannot make the key file ${out}`, {
          exitCode: ExitCode.usage,
          cause,
        })
      }
      say(`public key ${key.toPublicKey().toHex(true)}`)
    })
}

function joinCommand(): Command {
  return callCommand('join', 'Stake tokens behind a BLS key; at least 1000. `backfeed prover` signs with it.')
    .requiredOption('--bls-key <file>', 'BLS secret key, 32 bytes of hex, mode 600: `attester keygen`')
    .requiredOption(...STAKE)
    .action(async (options: CallOptions & { blsKey: string; amount: bigint }) => {
      const key = readBlsKeyFile(options.blsKey)
      const { client, contracts } = await openContext(options.config)
      const caller = callerFrom(client, options.key)
      say(`attester ${await joinAttesters(caller, contracts, { key, stakeMicro: options.amount })}`)
    })
}

function stakeCommand(): Command {
  return callCommand('stake', 'Add to an attester’s stake.')
    .requiredOption(...ATTESTER)
    .requiredOption(...STAKE)
    .action(async (options: OfAttester & { amount: bigint }) => {
      const { client, contracts } = await openContext(options.config)
      const more = { id: options.attester, amountMicro: options.amount }
      await addStake(callerFrom(client, options.key), contracts, more)
      say(`${dollars(options.amount)} added`)
    })
}

function leaveCommand(): Command {
  return callCommand(
    'leave',
    'Announce for good that an attester leaves: it stops counting at once, its stake is free 21 days later.',
  )
    .requiredOption(...ATTESTER)
    .action(async (options: OfAttester) => {
      const { client, contracts } = await openContext(options.config)
      const releaseAt = await announceLeave(callerFrom(client, options.key), contracts.attesters, options.attester)
      say(`the stake can be taken out from ${timeOf(releaseAt)}`)
    })
}

function withdrawCommand(): Command {
  return callCommand('withdraw', 'Take out the stake of an attester that has left.')
    .requiredOption(...ATTESTER)
    .requiredOption('--to <address>', 'where the tokens go', address)
    .action(async (options: OfAttester & { to: Address }) => {
      const { client, contracts } = await openContext(options.config)
      const leaving = { id: options.attester, to: options.to }
      const paid = await withdrawStake(callerFrom(client, options.key), contracts.attesters, leaving)
      say(`${dollars(paid)} paid to ${options.to}`)
    })
}

function statusCommand(): Command {
  return onL1('status', 'Who attests, and with what stake.').action(async (options: { config?: string }) => {
    const { client, contracts } = await openContext(options.config)
    const { seats, totalMicro } = await new RosterReader(client, contracts).read(await client.getBlockNumber())
    for (const seat of seats.values()) {
      const leaving = seat.releaseAt === 0 ? '' : `  leaving, free from ${timeOf(seat.releaseAt)}`
      say(`${String(seat.id).padStart(3)}  ${seat.owner}  ${dollars(seat.stakeMicro).padStart(20)}${leaving}`)
    }
    say(`${seats.size} attesters, ${dollars(totalMicro)} staked and not leaving`)
  })
}

function slashCommand(): Command {
  return callCommand('slash', 'Take the stakes of who attested a batch that fell; the caller is rewarded.')
    .requiredOption(...LANE)
    .requiredOption('--batch <index>', 'the batch that fell', wholeNumber(1))
    .action(async (options: OfBatch) => {
      const context = await openContext(options.config)
      const caller = callerFrom(context.client, options.key)
      const { attesters } = context.contracts
      const fallen = (await historyOf(context, options.lane)).fallen.filter(
        ({ header }) => header.index === BigInt(options.batch),
      )
      if (fallen.length === 0) throw noBatch(`no batch ${options.batch} of lane ${options.lane} fell`)
      // Several batches of one index may have fallen, one after another.
      for (const [i, { header }] of fallen.entries()) {
        try {
          const done = await slashAttesters(caller, attesters, header)
          const { slashedMicro, refilledMicro, rewardMicro } = done
          say(
            `${dollars(slashedMicro)} slashed, ${dollars(refilledMicro)} back to the lane, ${dollars(rewardMicro)} to you`,
          )
        } catch (error) {
          if (i === fallen.length - 1) throw error
        }
      }
    })
}

function settleCommand(): Command {
  return callCommand('settle', 'Free what was paid fast against a final batch: as much can be paid fast again.')
    .requiredOption(...LANE)
    .requiredOption('--batch <index>', 'the final batch', wholeNumber(1))
    .action(async (options: OfBatch) => {
      const context = await openContext(options.config)
      const batch = (await historyOf(context, options.lane)).live[options.batch - 1]
      if (batch === undefined) throw noBatch(`lane ${options.lane} has no batch ${options.batch}`)
      const caller = callerFrom(context.client, options.key)
      say(`${dollars(await settleAttestation(caller, context.contracts.attesters, batch.header))} freed`)
    })
}

async function historyOf(
  { client, contracts }: OperatorContext,
  lane: number,
): Promise<{ live: readonly DerivedBatch[]; fallen: readonly DerivedBatch[] }> {
  const deriver = new LaneDeriver({ client, contracts, lane })
  await deriver.catchUp(await client.getBlock())
  return deriver.history
}

function noBatch(message: string): BackfeedError {
  return new BackfeedError('UNKNOWN_BATCH', message, { exitCode: ExitCode.usage })
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}
