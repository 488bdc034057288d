import type { Address } from 'viem'
import { vaultAbi } from '../l1/abi/vault.ts'
import { vehicleAbi } from '../l1/abi/vehicle.ts'
import type { L1Client } from '../l1/client.ts'
import type { Contracts } from '../l1/contracts.ts'
import { l1Error } from '../l1/errors.ts'
import { decodeContractDescriptor } from '../protocol/descriptor.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import type { LaneReplay } from './laneReplay.ts'
import { type ClaimBase, type CreditClaim, claimBase, claimOf } from './withdraw.ts'

/** What a contract has earned and what became of it, micro. `credited ≥ final`; what was paid and clawed back may exceed both. */
export interface ContractCredit {
  readonly slot: number
  readonly vehicle: bigint
  readonly owner: Address
  /** In the newest batch on L1. */
  readonly creditedMicro: bigint
  /** In the newest final batch. */
  readonly finalMicro: bigint
  readonly withdrawnMicro: bigint
  /** Taken by the court (docs/protocol.md §12). */
  readonly clawbackMicro: bigint
  /** First batch that open claims keep from being withdrawn against; 0: none. */
  readonly heldFrom: bigint
  /** Can be withdrawn now. */
  readonly withdrawableMicro: bigint
  /** Earned, and still inside the challenge window. */
  readonly pendingMicro: bigint
  readonly energyWh: number
}

export interface LaneCredits {
  readonly base: ClaimBase
  readonly credits: readonly ContractCredit[]
  /** Of the contracts that can withdraw something now. */
  readonly claims: readonly CreditClaim[]
}

/** Reads at once: enough for speed, few enough for any provider. */
const READS_AT_ONCE = 50

/** Credits of `slots`, or of every contract, worked out from L1 by `replay`, which must be freshly opened. */
export async function readCredits(
  replay: LaneReplay,
  settings: { client: L1Client; contracts: Contracts; lane: number; slots?: readonly number[] },
): Promise<LaneCredits> {
  const { client, contracts, lane } = settings
  await replay.advanceTo(replay.finalIndex)
  const { rules, state } = replay
  const slots = settings.slots ?? Array.from({ length: rules.contracts.count }, (_, slot) => slot)
  const unknown = slots.find((slot) => slot >= rules.contracts.count)
  if (unknown !== undefined) {
    throw new BackfeedError('UNKNOWN_CONTRACT', `lane ${lane} has no contract ${unknown}`, { exitCode: ExitCode.usage })
  }
  const base = claimBase(replay.header, state)
  const finals = slots.map((slot) => ({
    claim: claimOf(slot, state, rules),
    finalMicro: state.contract(slot).creditedMicro,
  }))
  await replay.advanceTo(replay.tipIndex)

  const credits: ContractCredit[] = []
  for (let at = 0; at < slots.length; at += READS_AT_ONCE) {
    const group = slots.slice(at, at + READS_AT_ONCE).map(async (slot, i): Promise<ContractCredit> => {
      const { vehicle } = decodeContractDescriptor(rules.contracts.descriptor(slot))
      const { creditedMicro, energyWh } = state.contract(slot)
      const { finalMicro } = finals[at + i]!
      const account = await readAccount(client, contracts, { lane, slot, vehicle })
      const { owner, withdrawnMicro, clawbackMicro, heldFrom } = account
      const takenMicro = withdrawnMicro + clawbackMicro
      const isHeld = heldFrom !== 0n && base.header.index >= heldFrom
      return {
        slot,
        vehicle,
        owner,
        creditedMicro,
        finalMicro,
        withdrawnMicro,
        clawbackMicro,
        heldFrom,
        withdrawableMicro: finalMicro > takenMicro && !isHeld ? finalMicro - takenMicro : 0n,
        pendingMicro: creditedMicro - finalMicro,
        energyWh,
      }
    })
    credits.push(...(await Promise.all(group)))
  }
  const claims = finals.filter((_, i) => credits[i]!.withdrawableMicro > 0n).map(({ claim }) => claim)
  return { base, credits, claims }
}

async function readAccount(
  client: L1Client,
  contracts: Contracts,
  of: { lane: number; slot: number; vehicle: bigint },
): Promise<{ owner: Address; withdrawnMicro: bigint; clawbackMicro: bigint; heldFrom: bigint }> {
  try {
    const [owner, withdrawnMicro, [clawbackMicro, heldFrom]] = await Promise.all([
      client.readContract({ address: contracts.vehicle, abi: vehicleAbi, functionName: 'ownerOf', args: [of.vehicle] }),
      client.readContract({
        address: contracts.vault,
        abi: vaultAbi,
        functionName: 'withdrawn',
        args: [of.lane, of.slot],
      }),
      client.readContract({
        address: contracts.vault,
        abi: vaultAbi,
        functionName: 'clawbackOf',
        args: [of.lane, of.slot],
      }),
    ])
    return { owner, withdrawnMicro, clawbackMicro, heldFrom }
  } catch (cause) {
    throw l1Error(`reading the account of contract ${of.slot}`, cause)
  }
}
