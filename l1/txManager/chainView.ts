import type { Hex, TransactionReceipt } from 'viem'
import { TransactionReceiptNotFoundError } from 'viem'
import type { L1Client } from '../client.ts'
import { l1Error } from '../errors.ts'
import { readFeeMarket } from '../fees.ts'
import { type Finality, readFinalBlock } from '../finality.ts'
import type { ChainView } from './decide.ts'
import type { Inclusion, TxRecord } from './txRecord.ts'

export interface Look extends ChainView {
  receipts: ReadonlyMap<Hex, TransactionReceipt>
  balanceWei: bigint
}

/** One look at L1 for everything that decisions need: asked for as few receipts as can matter. */
export async function lookAtL1(
  client: L1Client,
  input: { address: Hex; finality: Finality; records: Iterable<TxRecord>; nowMs: number },
): Promise<Look> {
  try {
    const headNumber = await client.getBlockNumber()
    const [accountNonce, finalNumber, market, balanceWei] = await Promise.all([
      client.getTransactionCount({ address: input.address, blockTag: 'latest' }),
      readFinalBlock(client, input.finality, headNumber),
      readFeeMarket(client),
      client.getBalance({ address: input.address }),
    ])
    const receipts = new Map<Hex, TransactionReceipt>()
    for (const record of input.records) {
      if (record.status.kind === 'final') continue
      for (const attempt of record.attempts) {
        // Only a nonce that the account has passed can be in a block.
        if (attempt.nonce >= accountNonce) continue
        const receipt = await findReceipt(client, attempt.hash)
        if (receipt !== undefined) receipts.set(attempt.hash, receipt)
      }
    }
    const inclusions = new Map([...receipts].map(([hash, receipt]) => [hash, inclusionOf(receipt)]))
    return { nowMs: input.nowMs, headNumber, finalNumber, accountNonce, market, inclusions, receipts, balanceWei }
  } catch (cause) {
    throw l1Error('looking at the account and its transactions', cause)
  }
}

export async function findReceipt(client: L1Client, hash: Hex): Promise<TransactionReceipt | undefined> {
  try {
    return await client.getTransactionReceipt({ hash })
  } catch (error) {
    if (error instanceof TransactionReceiptNotFoundError) return undefined
    throw error
  }
}

function inclusionOf(receipt: TransactionReceipt): Inclusion {
  return {
    hash: receipt.transactionHash,
    blockNumber: receipt.blockNumber,
    blockHash: receipt.blockHash,
    succeeded: receipt.status === 'success',
  }
}
