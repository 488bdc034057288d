import type { L1Client } from './client.ts'

export interface ChainLimits {
  maxBlobsPerTransaction: number
  maxBlobsPerBlock: number
}

/** EIP-7594: six blobs a transaction, whatever a block takes. */
const MAX_BLOBS_PER_TRANSACTION = 6
const FALLBACK: ChainLimits = { maxBlobsPerTransaction: MAX_BLOBS_PER_TRANSACTION, maxBlobsPerBlock: 6 }

/** Forks that change blobs alone come without notice to whoever runs: looked at again this often. */
const LOOK_MS = 60_000

/** From `eth_config` (EIP-7910); nodes without it get the limits of Fusaka's start. Follows them while forks change them. */
export class ChainLimitsView {
  readonly #client: L1Client
  readonly #nowMs: () => number
  #current = FALLBACK
  #lookedAt = Number.NEGATIVE_INFINITY

  constructor(client: L1Client, nowMs: () => number = () => performance.now()) {
    this.#client = client
    this.#nowMs = nowMs
  }

  get current(): ChainLimits {
    return this.#current
  }

  /** At most once a minute. A node that does not answer, or not with limits, changes nothing. */
  async look(): Promise<void> {
    if (this.#nowMs() - this.#lookedAt < LOOK_MS) return
    this.#lookedAt = this.#nowMs()
    this.#current = (await readChainLimits(this.#client)) ?? this.#current
  }
}

async function readChainLimits(client: L1Client): Promise<ChainLimits | undefined> {
  let answer: unknown
  try {
    answer = await client.request({ method: 'eth_config' } as never)
  } catch {
    return undefined
  }
  const current = (answer as { current?: { blobSchedule?: { max?: unknown } | null } } | null)?.current
  const max = current?.blobSchedule?.max
  if (typeof max !== 'number' || !Number.isSafeInteger(max) || max < 1) return undefined
  return { maxBlobsPerTransaction: Math.min(MAX_BLOBS_PER_TRANSACTION, max), maxBlobsPerBlock: max }
}
