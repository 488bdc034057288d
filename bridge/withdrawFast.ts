import { encodeFunctionData } from 'viem'
import { attestersAbi } from '../l1/abi/attesters.ts'
import { vaultAbi } from '../l1/abi/vault.ts'
import type { L1Client } from '../l1/client.ts'
import { type Caller, sendCall } from '../l1/contractCall.ts'
import type { Contracts } from '../l1/contracts.ts'
import type { DerivedBatch } from '../l1/derive/laneHistory.ts'
import { l1Error } from '../l1/errors.ts'
import { WINDOW_SECONDS } from '../protocol/limits.ts'
import { BackfeedError, ExitCode, isBackfeedError } from '../runtime/errors.ts'
import type { LaneReplay } from './laneReplay.ts'
import { dollars } from './money.ts'
import { type ClaimBase, type CreditClaim, claimBase, claimOf, paymentsOf, type Withdrawal } from './withdraw.ts'

export interface FastClaim {
  readonly base: ClaimBase
  readonly claim: CreditClaim
  /** When the batch is final and the same claim is paid without attesters, seconds. */
  readonly finalAt: number
}

/** Batches looked at, from the tip down: attesters sign the newest. */
const MOST_LOOKED_AT = 256

/**
 * A contract's claim against the newest batch that attesters signed. `replay` must be freshly opened.
 * @throws BackfeedError NOT_ATTESTED when no batch is that is not final, and says when the newest becomes final
 */
export async function fastClaim(
  replay: LaneReplay,
  settings: { client: L1Client; contracts: Contracts; lane: number; slot: number },
): Promise<FastClaim> {
  const { lane, slot } = settings
  const batch = await newestAttested(replay, settings)
  if (batch === undefined) {
    const tip = replay.live.at(-1)
    const when =
      tip === undefined || replay.tipIndex === replay.finalIndex
        ? 'withdraw without --fast'
        : `batch ${tip.header.index} is final, and paid without attesters, from ${timeOf(tip.submittedAt + WINDOW_SECONDS)}`
    throw new BackfeedError('NOT_ATTESTED', `no batch of lane ${lane} is attested: ${when}`, {
      exitCode: ExitCode.refusedByL1,
    })
  }
  await replay.advanceTo(batch.header.index)
  const { rules, state } = replay
  if (slot >= rules.contracts.count) {
    throw new BackfeedError('UNKNOWN_CONTRACT', `lane ${lane} has no contract ${slot}`, { exitCode: ExitCode.usage })
  }
  const finalAt = batch.submittedAt + WINDOW_SECONDS
  return { base: claimBase(replay.header, state), claim: claimOf(slot, state, rules), finalAt }
}

/** Pays one contract's owner against an attested batch. A limit that stands in the way is named, with the time from which it no longer does. */
export async function withdrawFast(caller: Caller, contracts: Contracts, fast: FastClaim): Promise<Withdrawal> {
  const { base, claim, finalAt } = fast
  const { header, ...parts } = base
  const data = encodeFunctionData({ abi: vaultAbi, functionName: 'withdrawFast', args: [header, parts, claim] })
  try {
    const label = `withdraw fast for contract ${claim.slot}`
    const receipt = await sendCall(caller, { to: contracts.vault, data, label })
    return { payments: paymentsOf(receipt), transactions: 1, gasUsed: receipt.gasUsed }
  } catch (error) {
    throw refusal(error, header.lane, finalAt) ?? error
  }
}

async function newestAttested(
  replay: LaneReplay,
  { client, contracts }: { client: L1Client; contracts: Contracts },
): Promise<DerivedBatch | undefined> {
  const open = replay.live.slice(Number(replay.finalIndex)).slice(-MOST_LOOKED_AT)
  try {
    for (const batch of open.toReversed()) {
      const isAttested = await client.readContract({
        address: contracts.attesters,
        abi: attestersAbi,
        functionName: 'isAttested',
        args: [batch.headerHash],
      })
      if (isAttested) return batch
    }
  } catch (cause) {
    throw l1Error('looking which batches are attested', cause)
  }
  return undefined
}

function refusal(error: unknown, lane: number, finalAt: number): BackfeedError | undefined {
  if (!isBackfeedError(error, 'L1_REVERTED')) return undefined
  const { errorName, args } = error.details as { errorName?: string; args?: readonly string[] }
  const what = limitText(errorName, args ?? [], lane)
  if (what === undefined) return undefined
  const message = `${what}; paid without that limit from ${timeOf(finalAt)}, when the batch is final`
  return new BackfeedError('OVER_FAST_LIMIT', message, { exitCode: ExitCode.refusedByL1, cause: error })
}

function limitText(errorName: string | undefined, args: readonly string[], lane: number): string | undefined {
  switch (errorName) {
    case 'OverLaneLimit':
      return `lane ${lane} would have ${amount(args[1])} outstanding, and may have ${amount(args[2])}: a tenth of its escrow`
    case 'OverStakeLimit':
      return `${amount(args[0])} would be outstanding, and ${amount(args[1])} may be: half of what the signers staked`
    case 'AttestationVoid':
      return 'attesters were slashed since the batch was attested'
    default:
      return undefined
  }
}

function amount(micro: string | undefined): string {
  return dollars(BigInt(micro ?? 0))
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}
