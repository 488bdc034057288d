import { type Address, decodeFunctionData, type Hex, keccak256 } from 'viem'
import { ROOT_BYTES } from '../../protocol/laneState.ts'
import type { SchemeLayout } from '../../protocol/scheme.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { rollupAbi } from '../abi/rollup.ts'
import { fromHex } from '../bytes.ts'
import type { L1Client } from '../client.ts'
import { l1Error } from '../errors.ts'
import type { DerivedBatch } from './laneHistory.ts'

export interface PostedBatch {
  readonly batch: DerivedBatch
  /** Of its lane's scheme. */
  readonly layout: SchemeLayout
}

/**
 * The chunks of a calldata batch, checked against the hashes that L1 recorded. A batch posted through another contract (a
 * multisig, a bundler) needs a node with `debug_traceTransaction`; without it, CALLDATA_UNREACHABLE.
 */
export async function fetchCalldataChunks(
  client: L1Client,
  rollup: Address,
  posted: PostedBatch,
): Promise<Uint8Array[]> {
  const { batch } = posted
  const { txHash } = batch.place
  let transaction: { to: Address | null; input: Hex }
  try {
    transaction = await client.getTransaction({ hash: txHash })
  } catch (cause) {
    throw l1Error(`reading transaction ${txHash}`, cause)
  }
  if (transaction.to !== null && isSame(transaction.to, rollup)) {
    const chunks = matchingChunks(transaction.input, posted)
    if (chunks !== undefined) return chunks
  }
  for (const input of await innerCalls(client, rollup, txHash)) {
    const chunks = matchingChunks(input, posted)
    if (chunks !== undefined) return chunks
  }
  throw new BackfeedError(
    'L1_INCONSISTENT',
    `transaction ${txHash} does not hold the data of batch ${batch.header.index}`,
  )
}

/** Cuts calldata into chunks: forced ones of a root alone, then ones of full length; the last may be shorter (docs/protocol.md §15.3). */
export function splitCalldata(
  layout: SchemeLayout,
  data: Uint8Array,
  { chunkCount, forcedChunks }: { chunkCount: number; forcedChunks: number },
): Uint8Array[] {
  const startOf = (chunk: number): number => {
    const forced = Math.min(chunk, forcedChunks)
    return forced * ROOT_BYTES + (chunk - forced) * layout.chunkBytes
  }
  return Array.from({ length: chunkCount }, (_, k) =>
    data.slice(startOf(k), k + 1 === chunkCount ? data.length : startOf(k + 1)),
  )
}

function matchingChunks(input: Hex, { batch, layout }: PostedBatch): Uint8Array[] | undefined {
  let data: Uint8Array
  try {
    const call = decodeFunctionData({ abi: rollupAbi, data: input })
    if (call.functionName !== 'submitBatch') return undefined
    data = fromHex(call.args[1])
  } catch {
    return undefined
  }
  const chunks = splitCalldata(layout, data, batch.header)
  return chunks.every((chunk, i) => keccak256(chunk) === batch.dataWords[i]) ? chunks : undefined
}

interface CallFrame {
  to?: string
  input?: string
  calls?: CallFrame[]
}

async function innerCalls(client: L1Client, rollup: Address, txHash: Hex): Promise<Hex[]> {
  let root: CallFrame
  try {
    root = (await client.request({
      method: 'debug_traceTransaction',
      params: [txHash, { tracer: 'callTracer' }],
    } as never)) as CallFrame
  } catch (cause) {
    throw new BackfeedError(
      'CALLDATA_UNREACHABLE',
      `batch data of ${txHash} went through another contract, and the node does not trace transactions`,
      { cause },
    )
  }
  const inputs: Hex[] = []
  const frames = [root]
  for (let frame = frames.pop(); frame !== undefined; frame = frames.pop()) {
    if (frame.to !== undefined && frame.input !== undefined && isSame(frame.to, rollup)) inputs.push(frame.input as Hex)
    frames.push(...(frame.calls ?? []))
  }
  return inputs
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
