import type { FeeMarket } from '../fees.ts'

/** A transaction's offer, wei. Without blobs `maxFeePerBlobGas` is 0. */
export interface Fees {
  maxFeePerGas: bigint
  maxPriorityFeePerGas: bigint
  maxFeePerBlobGas: bigint
}

export interface FeePolicy {
  /** Never offer more, wei. */
  maxFeePerGasCap: bigint
  maxPriorityFeePerGasCap: bigint
  maxFeePerBlobGasCap: bigint
  minPriorityFeePerGas: bigint
}

export type TxKind = 'plain' | 'blob'

/** What pools demand of a replacement: each fee a tenth higher, or doubled for blobs (geth's `PriceBump`). */
const REPLACEMENT_BPS: Record<TxKind, bigint> = { plain: 11_000n, blob: 20_000n }

/** Room for the base fee to double before the offer falls behind. */
export function openingFees(market: FeeMarket, kind: TxKind, policy: FeePolicy): Fees {
  const maxPriorityFeePerGas = least(
    most(market.priorityFeePerGas, policy.minPriorityFeePerGas),
    policy.maxPriorityFeePerGasCap,
  )
  const maxFeePerGas = least(2n * market.baseFeePerGas + maxPriorityFeePerGas, policy.maxFeePerGasCap)
  return {
    maxFeePerGas,
    maxPriorityFeePerGas: least(maxPriorityFeePerGas, maxFeePerGas),
    maxFeePerBlobGas: kind === 'blob' ? least(most(2n * market.blobBaseFeePerGas, 1n), policy.maxFeePerBlobGasCap) : 0n,
  }
}

/** The offer that replaces `previous`: by the pool's rule or the market, whichever is more. Undefined when a cap forbids it. */
export function replacementFees(previous: Fees, market: FeeMarket, kind: TxKind, policy: FeePolicy): Fees | undefined {
  const opening = openingFees(market, kind, policy)
  const raised = (fee: bigint): bigint => most((fee * REPLACEMENT_BPS[kind] + 9_999n) / 10_000n, fee + 1n)
  const required: Fees = {
    maxFeePerGas: raised(previous.maxFeePerGas),
    maxPriorityFeePerGas: raised(previous.maxPriorityFeePerGas),
    maxFeePerBlobGas: kind === 'blob' ? raised(previous.maxFeePerBlobGas) : 0n,
  }
  if (
    required.maxFeePerGas > policy.maxFeePerGasCap ||
    required.maxPriorityFeePerGas > policy.maxPriorityFeePerGasCap ||
    required.maxFeePerBlobGas > policy.maxFeePerBlobGasCap
  ) {
    return undefined
  }
  const maxPriorityFeePerGas = most(required.maxPriorityFeePerGas, opening.maxPriorityFeePerGas)
  return {
    maxFeePerGas: most(most(required.maxFeePerGas, opening.maxFeePerGas), maxPriorityFeePerGas),
    maxPriorityFeePerGas,
    maxFeePerBlobGas: most(required.maxFeePerBlobGas, opening.maxFeePerBlobGas),
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

function most(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
