import type { L1Client } from '../l1/client.ts'
import type { Contracts } from '../l1/contracts.ts'
import { LaneDeriver } from '../l1/derive/laneDeriver.ts'
import { BLOB_BYTES } from '../protocol/chunk.ts'
import { DataKind } from '../protocol/batchHeader.ts'

/** What a lane's batches took of L1. */
export interface L1Costs {
  readonly batches: number
  readonly chunks: number
  readonly blobs: number
  readonly blobBytes: number
  readonly calldataBytes: number
  readonly gasUsed: bigint
}

export function addCosts(all: readonly L1Costs[]): L1Costs {
  const sum = { batches: 0, chunks: 0, blobs: 0, blobBytes: 0, calldataBytes: 0, gasUsed: 0n }
  for (const costs of all) {
    sum.batches += costs.batches
    sum.chunks += costs.chunks
    sum.blobs += costs.blobs
    sum.blobBytes += costs.blobBytes
    sum.calldataBytes += costs.calldataBytes
    sum.gasUsed += costs.gasUsed
  }
  return sum
}

/** Adds up the live batches of a lane by their transactions' own receipts. */
export async function readL1Costs(client: L1Client, contracts: Contracts, lane: number): Promise<L1Costs> {
  const deriver = new LaneDeriver({ client, contracts, lane })
  const head = await client.getBlock()
  await deriver.catchUp({ number: head.number, hash: head.hash })
  const { live } = deriver.history
  let [chunks, blobs, calldataBytes, gasUsed] = [0, 0, 0, 0n]
  for (const { header, dataWords, place } of live) {
    const [receipt, transaction] = await Promise.all([
      client.getTransactionReceipt({ hash: place.txHash }),
      client.getTransaction({ hash: place.txHash }),
    ])
    chunks += header.chunkCount
    blobs += header.dataKind === DataKind.BLOB ? dataWords.length : 0
    calldataBytes += (transaction.input.length - 2) / 2
    gasUsed += receipt.gasUsed
  }
  return { batches: live.length, chunks, blobs, blobBytes: blobs * BLOB_BYTES, calldataBytes, gasUsed }
}
