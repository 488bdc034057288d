import type { Abi } from 'viem'
import { BackfeedError } from '../../runtime/errors.ts'
import { fromHex } from '../bytes.ts'
import type { L1Client } from '../client.ts'
import type { FeeMarket } from '../fees.ts'
import { gasLimit, MAX_TX_BYTES } from '../gas.ts'
import { openingFees } from './feeRules.ts'
import { simulate } from './simulate.ts'
import type { TxPolicy } from './txPolicy.ts'
import type { TxRecord, TxRequest } from './txRecord.ts'

/** Signature, fees and addresses, generously. */
const ENVELOPE_BYTES = 512

export interface PrepareContext {
  client: L1Client
  from: `0x${string}`
  abi: Abi
  policy: TxPolicy
  market: FeeMarket
  nonce: number
  nowMs: number
}

/** Simulates a request and makes its record. Throws L1_REVERTED, TX_TOO_LARGE, TX_GAS_OVER_CAP, or L1's own troubles. */
export async function prepareRecord(request: TxRequest, context: PrepareContext): Promise<TxRecord> {
  const { client, from, abi, policy } = context
  const data = fromHex(request.data)
  if (data.length > MAX_TX_BYTES - ENVELOPE_BYTES) {
    throw new BackfeedError('TX_TOO_LARGE', `${request.label} has ${data.length} bytes of calldata`)
  }
  const { maxFeePerBlobGas } = openingFees(context.market, request.kind, policy.fees)
  const estimate = request.gas ?? (await simulate(client, from, request, { abi, maxFeePerBlobGas }))
  const marginBps = request.gas === undefined ? policy.gasMarginBps : 10_000n
  return {
    id: request.id,
    label: request.label,
    kind: request.kind,
    to: request.to,
    data: request.data,
    value: request.value ?? 0n,
    gas: gasLimit({ estimate, data, marginBps }),
    createdAtMs: context.nowMs,
    nonce: context.nonce,
    cancelled: false,
    status: { kind: 'pending' },
    attempts: [],
  }
}
