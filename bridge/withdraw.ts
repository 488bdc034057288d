import { type Address, encodeFunctionData, type Hex, parseEventLogs, type TransactionReceipt } from 'viem'
import { vaultAbi } from '../l1/abi/vault.ts'
import { toHex } from '../l1/bytes.ts'
import { TX_GAS_CAP } from '../l1/gas.ts'
import type { BatchHeader } from '../protocol/batchHeader.ts'
import type { LaneRules } from '../protocol/laneRules.ts'
import { type LaneState, laneHash } from '../protocol/laneState.ts'
import { BackfeedError, isBackfeedError } from '../runtime/errors.ts'
import { type Caller, sendCall } from '../l1/contractCall.ts'

/** One contract's credit in the state after `header`, as the vault wants it proven. */
export interface CreditClaim {
  readonly slot: number
  readonly descriptor: Hex
  readonly leaf: Hex
  /** 20 siblings, leaves first. */
  readonly path: readonly Hex[]
}

/** What joins claims to the root of a final batch. */
export interface ClaimBase {
  readonly header: BatchHeader
  readonly evseRoot: Hex
  readonly laneHash: Hex
}

export interface Payment {
  readonly slot: number
  readonly vehicle: bigint
  readonly owner: Address
  readonly amountMicro: bigint
}

export interface Withdrawal {
  readonly payments: readonly Payment[]
  readonly transactions: number
  readonly gasUsed: bigint
}

/** Each claim takes 960 bytes of calldata, and a transaction 128 KB. */
const MOST_CLAIMS_PER_TRANSACTION = 120

export function claimBase(header: BatchHeader, state: LaneState): ClaimBase {
  return {
    header,
    evseRoot: toHex(state.evses.root()),
    laneHash: toHex(laneHash(state.laneLeafBytes())),
  }
}

export function claimOf(slot: number, state: LaneState, rules: LaneRules): CreditClaim {
  return {
    slot,
    descriptor: toHex(rules.contracts.descriptor(slot)),
    leaf: toHex(state.contracts.leaf(slot)),
    path: state.contracts.path(slot).map(toHex),
  }
}

/** Pays one contract's owner what is owed. Anyone may call. @throws BackfeedError L1_REVERTED when there is nothing to pay */
export async function withdraw(
  caller: Caller,
  vault: Address,
  base: ClaimBase,
  claim: CreditClaim,
): Promise<Withdrawal> {
  const { header, ...parts } = base
  const data = encodeFunctionData({ abi: vaultAbi, functionName: 'withdraw', args: [header, parts, claim] })
  const receipt = await sendCall(caller, { to: vault, data, label: `withdraw for contract ${claim.slot}` })
  return { payments: paymentsOf(receipt), transactions: 1, gasUsed: receipt.gasUsed }
}

/**
 * Pays many owners of a lane, in as few transactions as their size and the gas cap allow. Claims with nothing to pay are skipped by
 * the vault, so that it can be repeated after a fault. `onTransaction` is told after each transaction.
 */
export async function withdrawMany(
  caller: Caller,
  vault: Address,
  base: ClaimBase,
  claims: readonly CreditClaim[],
  onTransaction: (payments: readonly Payment[]) => void = () => {},
): Promise<Withdrawal> {
  const payments: Payment[] = []
  let transactions = 0
  let gasUsed = 0n
  let most = MOST_CLAIMS_PER_TRANSACTION
  for (let at = 0; at < claims.length; ) {
    const group = claims.slice(at, at + most)
    const receipt = await tryGroup(caller, vault, base, group)
    if (receipt === 'TOO_LARGE') {
      if (group.length === 1) {
        throw new BackfeedError('TX_GAS_OVER_CAP', `a single withdrawal takes more than ${TX_GAS_CAP} gas`)
      }
      most = Math.ceil(group.length / 2)
      continue
    }
    const paid = paymentsOf(receipt)
    payments.push(...paid)
    transactions++
    gasUsed += receipt.gasUsed
    at += group.length
    onTransaction(paid)
  }
  return { payments, transactions, gasUsed }
}

async function tryGroup(
  caller: Caller,
  vault: Address,
  base: ClaimBase,
  group: readonly CreditClaim[],
): Promise<TransactionReceipt | 'TOO_LARGE'> {
  const { header, ...parts } = base
  const data = encodeFunctionData({ abi: vaultAbi, functionName: 'withdrawMany', args: [header, parts, group] })
  try {
    return await sendCall(caller, { to: vault, data, label: `withdraw for ${group.length} contracts` })
  } catch (error) {
    if (isBackfeedError(error, 'TX_GAS_OVER_CAP')) return 'TOO_LARGE'
    throw error
  }
}

export function paymentsOf(receipt: TransactionReceipt): Payment[] {
  return parseEventLogs({ abi: vaultAbi, eventName: 'Withdrawn', logs: receipt.logs }).map(({ args }) => ({
    slot: args.slot,
    vehicle: args.vehicle,
    owner: args.owner,
    amountMicro: args.amount,
  }))
}
