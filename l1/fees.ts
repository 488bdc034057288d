import { hexToBigInt } from 'viem'
import type { L1Client } from './client.ts'
import { l1Error } from './errors.ts'

/** What L1 charges now, wei. */
export interface FeeMarket {
  baseFeePerGas: bigint
  priorityFeePerGas: bigint
  blobBaseFeePerGas: bigint
}

export async function readFeeMarket(client: L1Client): Promise<FeeMarket> {
  try {
    const [block, priorityFeePerGas, blobBaseFeePerGas] = await Promise.all([
      client.getBlock({ blockTag: 'latest' }),
      client.request({ method: 'eth_maxPriorityFeePerGas' }).then(hexToBigInt),
      // Chains without blobs do not know the method; the figure is then not used either.
      client.request({ method: 'eth_blobBaseFee' }).then(hexToBigInt, () => 1n),
    ])
    return { baseFeePerGas: block.baseFeePerGas ?? 0n, priorityFeePerGas, blobBaseFeePerGas }
  } catch (cause) {
    throw l1Error('reading the fee market', cause)
  }
}
