import { erc20Abi } from 'viem'
import { readCredits } from '../bridge/credit.ts'
import { type LaneReplaySettings, openLaneReplay } from '../bridge/laneReplay.ts'
import { dollars } from '../bridge/money.ts'
import { type Payment, withdraw, withdrawMany } from '../bridge/withdraw.ts'
import type { L1Account } from '../l1/client.ts'
import { WINDOW_SECONDS } from '../protocol/limits.ts'
import type { L1Node } from './l1Node.ts'
import { grouped } from './screen.ts'

export interface Payout {
  readonly finalBatch: bigint
  /** Paid to each contract's owner, by the owner's own token balance. */
  readonly paidMicro: ReadonlyMap<number, bigint>
  readonly payments: readonly Payment[]
  readonly transactions: number
  readonly gasUsed: bigint
}

const NOTHING = { payments: [], transactions: 0, gasUsed: 0n } as const
/** For the gas of one withdrawal. */
const OWNER_WEI = 10n ** 18n
/** Balances are read this many at once. */
const READS_AT_ONCE = 50

/** Moves the chain past every batch's window, replays the lane from L1 alone, and has a passer-by pay every owner. */
export async function payEverybody(
  settings: LaneReplaySettings & {
    node: L1Node
    caller: L1Account
    owners: readonly L1Account[]
    onProgress: (text: string) => void
  },
): Promise<Payout> {
  const { node, client, contracts, lane, owners, onProgress } = settings
  const head = await client.getBlock()
  await node.moveTo(Number(head.timestamp) + WINDOW_SECONDS + 1)
  onProgress('the challenge window of the last batch has passed')
  const replay = await openLaneReplay(settings)
  const { base, credits, claims } = await readCredits(replay, { client, contracts, lane })
  onProgress(
    `${replay.tipIndex} batches worked out from L1 alone: ${claims.length} of ${credits.length} owners have money to fetch`,
  )
  const [first, ...others] = claims
  if (first === undefined)
    return { ...NOTHING, finalBatch: base.header.index, paidMicro: await readBalances(settings, owners) }
  const owner = owners[first.slot]!
  await node.setBalance(owner.address, OWNER_WEI)
  const own = await withdraw({ client, account: owner }, contracts.vault, base, first)
  onProgress(
    `${owner.address} withdrew $${dollars(own.payments[0]!.amountMicro)} by itself, for ${grouped(own.gasUsed)} gas`,
  )
  let paidCount = 0
  const passerBy = { client, account: settings.caller }
  const many = await withdrawMany(passerBy, contracts.vault, base, others, (paid) => {
    paidCount += paid.length
    onProgress(`a passer-by had ${grouped(paidCount)} other owners paid`)
  })
  const withdrawal = {
    payments: [...own.payments, ...many.payments],
    transactions: own.transactions + many.transactions,
    gasUsed: own.gasUsed + many.gasUsed,
  }
  return { ...withdrawal, finalBatch: base.header.index, paidMicro: await readBalances(settings, owners) }
}

async function readBalances(
  settings: Pick<LaneReplaySettings, 'client' | 'contracts'>,
  owners: readonly L1Account[],
): Promise<Map<number, bigint>> {
  const balances = new Map<number, bigint>()
  for (let at = 0; at < owners.length; at += READS_AT_ONCE) {
    const group = owners.slice(at, at + READS_AT_ONCE)
    const read = await Promise.all(
      group.map((owner) =>
        settings.client.readContract({
          address: settings.contracts.token,
          abi: erc20Abi,
          functionName: 'balanceOf',
          args: [owner.address],
        }),
      ),
    )
    for (const [index, balance] of read.entries()) balances.set(at + index, balance)
  }
  return balances
}

/** Of lanes whose cars count from `firstCar` on in the whole. */
export function mergePayouts(
  parts: readonly { readonly payout: Payout; readonly firstCar: number }[],
): Omit<Payout, 'finalBatch'> {
  const paidMicro = new Map<number, bigint>()
  for (const { payout, firstCar } of parts) {
    for (const [car, micro] of payout.paidMicro) paidMicro.set(firstCar + car, micro)
  }
  const payouts = parts.map(({ payout }) => payout)
  return {
    paidMicro,
    payments: payouts.flatMap(({ payments }) => payments),
    transactions: payouts.reduce((sum, { transactions }) => sum + transactions, 0),
    gasUsed: payouts.reduce((sum, { gasUsed }) => sum + gasUsed, 0n),
  }
}
