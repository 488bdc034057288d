import { type Abi, type Address, type Hex, hexToBigInt, numberToHex } from 'viem'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import type { L1Client } from '../client.ts'
import { l1Error } from '../errors.ts'
import { revertError } from '../revert.ts'
import type { Inclusion, TxRecord, TxRequest } from './txRecord.ts'

/** Executes the request on the node without sending it; the gas it took. Throws L1_REVERTED with the decoded reason. */
export async function simulate(
  client: L1Client,
  from: Address,
  request: TxRequest,
  context: { abi: Abi; maxFeePerBlobGas: bigint },
): Promise<bigint> {
  const call = {
    from,
    to: request.to,
    data: request.data,
    value: numberToHex(request.value ?? 0n),
    ...(request.kind === 'blob' ? blobFields(request.sidecar.versionedHashes, context.maxFeePerBlobGas) : {}),
  }
  try {
    const answer = await client.request({
      method: 'eth_estimateGas',
      params: [call, request.simulateOn ?? 'latest'],
    } as never)
    return hexToBigInt(answer as Hex)
  } catch (error) {
    throw revertError(request.label, error, context.abi) ?? l1Error(`simulating ${request.label}`, error)
  }
}

/**
 * Why a mined transaction failed: L1_REVERTED, with the reason found by running it again on the state before its block. Approximate
 * when the block held more of them, and without a reason when the node has forgotten that state.
 */
export async function explainFailure(
  client: L1Client,
  from: Address,
  failed: { record: TxRecord; inclusion: Inclusion; versionedHashes: readonly Hex[]; maxFeePerBlobGas: bigint },
  abi: Abi,
): Promise<BackfeedError> {
  const { record, inclusion, versionedHashes } = failed
  const call = {
    from,
    to: record.to,
    data: record.data,
    value: numberToHex(record.value),
    gas: numberToHex(record.gas),
    ...(versionedHashes.length > 0 ? blobFields(versionedHashes, failed.maxFeePerBlobGas) : {}),
  }
  let cause: unknown
  try {
    await client.request({ method: 'eth_call', params: [call, numberToHex(inclusion.blockNumber - 1n)] } as never)
  } catch (error) {
    const reason = revertError(record.label, error, abi)
    if (reason !== undefined) return reason
    cause = error
  }
  return new BackfeedError('L1_REVERTED', `${record.label} reverted in block ${inclusion.blockNumber}`, {
    exitCode: ExitCode.refusedByL1,
    cause,
    details: { hash: inclusion.hash },
  })
}

function blobFields(versionedHashes: readonly Hex[], maxFeePerBlobGas: bigint): object {
  return { blobVersionedHashes: versionedHashes, maxFeePerBlobGas: numberToHex(maxFeePerBlobGas) }
}
