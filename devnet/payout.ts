import { erc20Abi } from 'viem'
import { readCredits } from '../bridge/credit.ts'
import { type LaneReplaySettings, openLaneReplay } from '../bridge/laneReplay.ts'
import { type Payment, withdrawMany } from '../bridge/withdraw.ts'
import type { L1Account } from '../l1/client.ts'
import { WINDOW_SECONDS } from '../protocol/limits.ts'
import type { L1Node } from './l1Node.ts'

export interface Payout {
  readonly finalBatch: bigint
  /** Paid to each contract's owner, by the owner's own token balance. */
  readonly paidMicro: ReadonlyMap<number, bigint>
  readonly payments: readonly Payment[]
  readonly transactions: number
  readonly gasUsed: bigint
}

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
  let paidCount = 0
  const withdrawal = await withdrawMany({ client, account: settings.caller }, contracts.vault, base, claims, (paid) => {
    paidCount += paid.length
    onProgress(`${paidCount} owners paid`)
  })
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
