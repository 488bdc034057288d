import type { L1Client } from './client.ts'

export interface ChainLimits {
  maxBlobsPerTransaction: number
  maxBlobsPerBlock: number
}

/** EIP-7594: six blobs a transaction, whatever a block takes. */
const MAX_BLOBS_PER_TRANSACTION = 6
const FALLBACK: ChainLimits = { maxBlobsPerTransaction: MAX_BLOBS_PER_TRANSACTION, maxBlobsPerBlock: 6 }

/** From `eth_config` (EIP-7910); nodes without it get the limits of Fusaka's start. */
export async function readChainLimits(client: L1Client): Promise<ChainLimits> {
  let answer: unknown
  try {
    answer = await client.request({ method: 'eth_config' } as never)
  } catch {
    return FALLBACK
  }
  const current = (answer as { current?: { blobSchedule?: { max?: unknown } | null } } | null)?.current
  const max = current?.blobSchedule?.max
  if (typeof max !== 'number' || !Number.isSafeInteger(max) || max < 1) return FALLBACK
  return { maxBlobsPerTransaction: Math.min(MAX_BLOBS_PER_TRANSACTION, max), maxBlobsPerBlock: max }
}
