import { type Address, encodeFunctionData, type Hex } from 'viem'
import { promisesAbi } from '../l1/abi/promises.ts'
import { toHex } from '../l1/bytes.ts'
import { type Caller, sendCall } from '../l1/contractCall.ts'
import { openChunk } from '../l1/derive/openings.ts'
import { encodeProof, type Witness } from '../protocol/fraudProof.ts'
import { PROMISE_SECONDS, RECORD_BYTES } from '../protocol/limits.ts'
import {
  microBatchDigest,
  type Receipt,
  receiptDomain,
  receiptHoldsRow,
  recoverReceiptSigner,
} from '../protocol/receipt.ts'
import type { ReceiptFile } from '../protocol/receiptJson.ts'
import { Outcome } from '../protocol/outcome.ts'
import { isEmptyRecord } from '../protocol/record.ts'
import { Scheme } from '../protocol/scheme.ts'
import { buildWitness } from '../protocol/witness.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import type { LaneReplay, ReplayedChunk, ReplayedRecord } from './laneReplay.ts'

/** What L1 holds at a promised position. */
export type PromiseStanding =
  /** The lane on L1 ends before it. */
  | { readonly kind: 'notPosted'; readonly position: number }
  | { readonly kind: 'kept'; readonly batch: bigint; readonly chunk: number }
  | { readonly kind: 'broken'; readonly evidence: BrokenPromise; readonly batch: bigint; readonly chunk: number }

export interface BrokenPromise {
  readonly view: ReplayedChunk
  /** BLS lanes: the record is there, and the chunk's aggregate does not verify; this is what L1 needs to see it. */
  readonly spoiled: Witness | undefined
  readonly evseRoot: Hex
  readonly contractRoot: Hex
  readonly laneLeaf: Hex
  /** Who posted the batch: another than the receipt's signer must be final first. */
  readonly submitter: Address
}

/** Who gave the receipt. @throws BackfeedError RECEIPT_INVALID when it proves nothing, or is for another deployment */
export function receiptSigner(file: ReceiptFile, of: { chainId: number; rollup: Address }): Address {
  const { chainId, rollup, receipt } = file
  const invalid = (message: string): BackfeedError =>
    new BackfeedError('RECEIPT_INVALID', message, { exitCode: ExitCode.dataCorrupted })
  if (chainId !== of.chainId || rollup.toLowerCase() !== of.rollup.toLowerCase()) {
    throw invalid(`the receipt is for rollup ${rollup} on chain ${chainId}`)
  }
  if (!receiptHoldsRow(receipt)) throw invalid('the receipt does not hold its own record at its position')
  const digest = microBatchDigest(receiptDomain(BigInt(chainId), rollup), receipt)
  const signer = recoverReceiptSigner(digest, receipt.signature)
  if (signer === undefined) throw invalid('the receipt is not signed')
  return signer
}

/** Until when a broken promise can be proven, seconds. */
export function promiseExpiry({ time }: Receipt): number {
  return time + PROMISE_SECONDS
}

/** Looks a promised position up on L1, by replaying the lane up to there. */
export async function findPromise(replay: LaneReplay, receipt: Receipt): Promise<PromiseStanding> {
  let found: PromiseStanding | undefined
  let pending: { row: number; kept: PromiseStanding; spoiled: PromiseStanding } | undefined
  const look = (view: ReplayedChunk): void => {
    if (found !== undefined || view.index < view.batch.header.forcedChunks) return
    const row = promisedRow(view, receipt.position - replay.state.position)
    if (row === undefined) return
    const place = { batch: view.batch.header.index, chunk: view.index }
    const kept: PromiseStanding = { kind: 'kept', ...place }
    if (!isKept(replay, view, { row, receipt })) {
      found = { kind: 'broken', ...place, evidence: evidenceAt(replay, view, undefined) }
    } else if (replay.rules.layout.scheme === Scheme.P256) {
      found = kept
    } else {
      // Of a BLS record only the replay tells whether the aggregate over it verifies.
      const witness = buildWitness(replay.state, replay.rules, view.batch.header.asOf, view.chunk.records)
      pending = { row, kept, spoiled: { kind: 'broken', ...place, evidence: evidenceAt(replay, view, witness) } }
    }
  }
  const judge = ({ row, outcome }: ReplayedRecord): void => {
    if (pending === undefined || row !== pending.row) return
    found = outcome === Outcome.BAD_SIGNATURE ? pending.spoiled : pending.kept
    pending = undefined
  }
  while (found === undefined && replay.header.index < replay.tipIndex) {
    await replay.advanceTo(replay.header.index + 1n, { beforeChunk: look, onRecord: judge })
  }
  return found ?? { kind: 'notPosted', position: replay.state.position }
}

/** Slashes the signer; the caller is paid half. @throws BackfeedError with L1's reason, such as NotFinal */
export async function proveBrokenPromise(
  caller: Caller,
  promises: Address,
  receipt: Receipt,
  evidence: BrokenPromise,
): Promise<{ gasUsed: bigint; txHash: Hex }> {
  const { view, evseRoot, contractRoot, laneLeaf, spoiled } = evidence
  const { batch, parent, data, index: chunk } = view
  const opening = await openChunk(data, chunk)
  const proof = encodeProof({ dataWords: batch.dataWords, opening, witness: spoiled ?? NOTHING })
  const args = [
    receiptArgument(receipt),
    batch.header,
    parent,
    { chunk, evseRoot, contractRoot, laneLeaf, spoiled: spoiled !== undefined, proof },
  ] as const
  const call = encodeFunctionData({ abi: promisesAbi, functionName: 'brokenPromise', args })
  const mined = await sendCall(caller, { to: promises, data: call, label: 'prove a broken promise' })
  return { gasUsed: mined.gasUsed, txHash: mined.transactionHash }
}

/** As the contract's struct. */
export function receiptArgument(receipt: Receipt) {
  const { lane, count, time } = receipt
  return {
    lane,
    count,
    time,
    firstPosition: BigInt(receipt.firstPosition),
    position: BigInt(receipt.position),
    root: toHex(receipt.root),
    signature: toHex(receipt.signature),
    row: toHex(receipt.row),
    path: receipt.path.map(toHex),
  }
}

/** The row with so many non-empty ones of the chunk before it; undefined when the chunk has none. */
function promisedRow({ chunk: { records } }: ReplayedChunk, skip: number): number | undefined {
  if (skip < 0) return undefined
  let left = skip
  for (let row = 0; row < records.count; row++) {
    if (isEmptyRecord(records.bytes, records.at + row * records.stride)) continue
    if (left-- === 0) return row
  }
  return undefined
}

function isKept(
  replay: LaneReplay,
  { chunk: { records } }: ReplayedChunk,
  of: { row: number; receipt: Receipt },
): boolean {
  const at = records.at + of.row * records.stride
  const bytes = replay.rules.layout.scheme === Scheme.P256 ? replay.rules.layout.rowBytes : RECORD_BYTES
  return Buffer.compare(records.bytes.subarray(at, at + bytes), of.receipt.row.subarray(0, bytes)) === 0
}

function evidenceAt({ state }: LaneReplay, view: ReplayedChunk, spoiled: Witness | undefined): BrokenPromise {
  return {
    view,
    spoiled,
    evseRoot: toHex(state.evses.root()),
    contractRoot: toHex(state.contracts.root()),
    laneLeaf: toHex(state.laneLeafBytes()),
    submitter: view.batch.header.submitter,
  }
}

/** What another row shows needs no re-execution: nothing of the witness is read. */
const NOTHING: Witness = {
  laneLeaf: `0x${'00'.repeat(32)}`,
  fundingIndex: 0,
  tariffVersions: [],
  tariffs: '0x',
  evses: '0x',
  evseSiblings: '0x',
  contracts: '0x',
  contractSiblings: '0x',
}
