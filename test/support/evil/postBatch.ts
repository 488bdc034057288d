import { encodeFunctionData, type Hex, parseEventLogs, type TransactionReceipt } from 'viem'
import { rollupAbi } from '../../../l1/abi/rollup.ts'
import { prepareSidecar, signBlobTransaction } from '../../../l1/blobTransaction.ts'
import { toHex } from '../../../l1/bytes.ts'
import type { L1Account, L1Client } from '../../../l1/client.ts'
import { sendCall } from '../../../l1/contractCall.ts'
import type { BatchHeader } from '../../../protocol/batchHeader.ts'
import { DataKind } from '../../../protocol/batchHeader.ts'
import { BLOB_BYTES, writeCell } from '../../../protocol/chunk.ts'
import { BLOB_CHUNKS } from '../../../protocol/limits.ts'
import type { BuiltBatch } from './buildBatch.ts'

export type DataMode = 'blob' | 'calldata'

export interface Posted {
  readonly header: BatchHeader
  readonly headerHash: Hex
  readonly dataWords: readonly Hex[]
  readonly receipt: TransactionReceipt
}

export interface Poster {
  readonly client: L1Client
  readonly rollup: Hex
  readonly operator: L1Account
  readonly lane: number
  /** Takes a raw transaction and is patient: a node loads its KZG setup at the first blob. */
  send(raw: Hex): Promise<unknown>
}

/** Posts a batch as it is, true or not, with real blobs or real calldata. */
export async function postBatch(
  poster: Poster,
  parent: { header: Pick<BatchHeader, 'index' | 'forcedEnd'>; headerHash: Hex },
  batch: BuiltBatch,
  options: { mode: DataMode; blobs?: readonly Uint8Array[] },
): Promise<Posted> {
  const { client, rollup, operator } = poster
  const head = await client.getBlock()
  const submission = {
    lane: poster.lane,
    index: parent.header.index + 1n,
    parentHash: parent.headerHash,
    postRoot: toHex(batch.postRoot),
    asOf: batch.asOf,
    l1Block: head.number - 1n,
    l1Hash: head.parentHash,
    dataKind: options.mode === 'blob' ? DataKind.BLOB : DataKind.CALLDATA,
    chunkCount: batch.chunks.length,
    forcedEnd: parent.header.forcedEnd + BigInt(batch.entries.length),
  }
  const inline = options.mode === 'blob' ? '0x' : toHex(calldataOf(batch))
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'submitBatch', args: [submission, inline] })
  const receipt =
    options.mode === 'blob'
      ? await sendBlobs(poster, data, options.blobs ?? blobsOf(batch))
      : await sendCall({ client, account: operator }, { to: rollup, data, label: 'submitBatch' })
  const [event] = parseEventLogs({ abi: rollupAbi, eventName: 'BatchSubmitted', logs: receipt.logs })
  if (event === undefined) throw new Error(`batch ${submission.index} was not taken`)
  const { header, headerHash, dataWords } = event.args
  return { header, headerHash, dataWords, receipt }
}

export function blobsOf(batch: BuiltBatch): Uint8Array[] {
  const blobs = Array.from({ length: Math.ceil(batch.chunks.length / BLOB_CHUNKS) }, () => new Uint8Array(BLOB_BYTES))
  for (const [k, { preRoot, body }] of batch.chunks.entries()) {
    writeCell(blobs[Math.floor(k / BLOB_CHUNKS)]!, k % BLOB_CHUNKS, preRoot, body)
  }
  return blobs
}

function calldataOf(batch: BuiltBatch): Uint8Array {
  return Buffer.concat(batch.chunks.flatMap(({ preRoot, body }) => [preRoot, body]))
}

async function sendBlobs(poster: Poster, data: Hex, blobs: readonly Uint8Array[]): Promise<TransactionReceipt> {
  const { client, operator, rollup } = poster
  const sidecar = await prepareSidecar(blobs)
  const [nonce, block] = await Promise.all([
    client.getTransactionCount({ address: operator.address }),
    client.getBlock(),
  ])
  const { hash, raw } = await signBlobTransaction(
    operator,
    {
      chainId: client.chain.id,
      nonce,
      to: rollup,
      data,
      value: 0n,
      gas: 1_000_000n,
      maxFeePerGas: 2n * (block.baseFeePerGas ?? 1n) + 1_000_000_000n,
      maxPriorityFeePerGas: 1_000_000_000n,
      maxFeePerBlobGas: 1_000_000_000n,
    },
    sidecar,
  )
  await poster.send(raw)
  const receipt = await client.waitForTransactionReceipt({ hash, pollingInterval: 20 })
  if (receipt.status !== 'success') throw new Error(`blob transaction ${hash} reverted`)
  return receipt
}
