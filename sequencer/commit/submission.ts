import { type Address, encodeFunctionData, type Hex } from 'viem'
import { rollupAbi } from '../../l1/abi/rollup.ts'
import { toHex } from '../../l1/bytes.ts'
import type { TxRequest } from '../../l1/txManager/txRecord.ts'
import { type BatchHeader, DataKind, hashDataWords } from '../../protocol/batchHeader.ts'
import type { BatchData } from '../batchData.ts'
import type { ClosedBatch } from '../closedBatch.ts'
import { spanEnd } from '../forced.ts'
import type { Prepared } from '../store/commitLog.ts'

export interface HeaderInput {
  readonly batch: ClosedBatch
  readonly data: BatchData
  readonly parentHash: Hex
  /** Newest block held final. */
  readonly pin: { readonly number: bigint; readonly hash: Hex }
  readonly submitter: Address
}

/** The header that L1 will compute of the batch: known before it is mined (docs/protocol.md §15.3). */
export function headerOf(input: HeaderInput): BatchHeader {
  const { batch, data, parentHash, pin, submitter } = input
  const { end, endWord } = spanEnd(batch.forced)
  return {
    lane: batch.lane,
    index: BigInt(batch.index),
    parentHash,
    postRoot: toHex(batch.postRoot),
    asOf: batch.asOf,
    l1Block: pin.number,
    l1Hash: pin.hash,
    forcedStart: BigInt(batch.forced.start),
    forcedStartHash: batch.forced.startWord,
    forcedEnd: BigInt(end),
    forcedEndHash: endWord,
    dataKind: data.kind === 'blob' ? DataKind.BLOB : DataKind.CALLDATA,
    chunkCount: batch.chunkCount,
    forcedChunks: batch.forcedChunks,
    dataHash: hashDataWords(data.dataWords),
    submitter,
  }
}

/** Whether a header prepared earlier still says what would be posted now, but for the block it pins. */
export function stillHolds(header: BatchHeader, fresh: BatchHeader): boolean {
  return (
    header.parentHash === fresh.parentHash &&
    header.postRoot === fresh.postRoot &&
    header.asOf === fresh.asOf &&
    header.forcedEndHash === fresh.forcedEndHash &&
    header.dataHash === fresh.dataHash &&
    header.dataKind === fresh.dataKind &&
    header.submitter.toLowerCase() === fresh.submitter.toLowerCase()
  )
}

/** Begins the ids of all transactions that ever post this batch. */
export function batchId(lane: number, index: number): string {
  return `lane-${lane}/batch-${index}`
}

export function requestId(prepared: Prepared): string {
  const { header, headerHash, attempt } = prepared
  return `${batchId(header.lane, Number(header.index))}/${headerHash.slice(2, 18)}/${attempt}`
}

export function submitRequest(prepared: Prepared, data: BatchData, rollup: Address): TxRequest {
  const { header } = prepared
  const submission = {
    lane: header.lane,
    index: header.index,
    parentHash: header.parentHash,
    postRoot: header.postRoot,
    asOf: header.asOf,
    l1Block: header.l1Block,
    l1Hash: header.l1Hash,
    dataKind: header.dataKind,
    chunkCount: header.chunkCount,
    forcedEnd: header.forcedEnd,
  }
  const bytes = data.kind === 'calldata' ? toHex(data.data) : '0x'
  const call = encodeFunctionData({ abi: rollupAbi, functionName: 'submitBatch', args: [submission, bytes] })
  const common = { id: requestId(prepared), label: 'submitBatch', to: rollup, data: call }
  return data.kind === 'blob' ? { ...common, kind: 'blob', sidecar: data.sidecar } : { ...common, kind: 'plain' }
}
