import { type Address, encodeFunctionData, type Hex, keccak256 } from 'viem'
import { rollupAbi } from '../l1/abi/rollup.ts'
import { toHex } from '../l1/bytes.ts'
import type { L1Client } from '../l1/client.ts'
import { type Caller, sendCall } from '../l1/contractCall.ts'
import { ForcedView } from '../l1/forced/forcedView.ts'
import { l1Error } from '../l1/errors.ts'
import { type BatchHeader, DataKind, hashDataWords, hashHeader } from '../protocol/batchHeader.ts'
import { type ForcedEntry, forcedRange } from '../protocol/forced.ts'
import { FORCED_BATCH_ENTRIES, FORCED_OPEN_SECONDS, MIN_BOND_WEI } from '../protocol/limits.ts'
import type { Outcome } from '../protocol/outcome.ts'
import { Settlement } from '../protocol/settlement.ts'
import { BackfeedError, ExitCode } from '../runtime/errors.ts'
import { type LaneReplay, type LaneReplaySettings, openLaneReplay } from './laneReplay.ts'

export interface ForcedPosted {
  readonly header: BatchHeader
  readonly headerHash: Hex
  readonly txHash: Hex
  /** Of each entry that the batch takes. */
  readonly outcomes: readonly Outcome[]
}

/**
 * Posts the entries that wait longest in a lane's forced queue, 192 at most, as a batch of their own, worked out from L1 alone. The caller
 * answers for its root with a bond. @throws BackfeedError NOTHING_FORCED, FORCED_NOT_OPEN (docs/protocol.md §10 does not let the caller post
 * yet, or at all), WRONG_ROOT
 */
export async function postForced(caller: Caller, settings: LaneReplaySettings): Promise<ForcedPosted> {
  const { client, contracts, lane } = settings
  const { rollup } = contracts
  const head = await client.getBlock()
  // What is estimated in the head's own block sees the hashes of those before it. Whatever the root depends on is in the pinned block,
  // so that a reorganisation which changes it has the post refused, not slashed.
  const pin = { number: head.number - 1n, hash: head.parentHash }
  const queue = new ForcedView({ client, contracts, lane })
  await queue.catchUp(pin, settings.signal)
  const replay = await openLaneReplay(settings)
  await replay.advanceTo(replay.tipIndex)
  const parent = replay.header
  const now = Number(head.timestamp)
  const asOf = Math.max(parent.asOf, now - 1)
  const start = parent.forcedEnd
  const end = lastTaken(queue, start)
  if (end === start) throw refusal('NOTHING_FORCED', `nothing waits in the forced queue of lane ${lane}`)
  const entries = queue.slice(start, end)
  await requireOpen({ client, rollup, lane, poster: caller.account.address, oldest: entries[0]!, now })

  const { chunkRecords } = replay.rules.layout
  const { preRoots, outcomes } = settle(replay, entries, { asOf, chunkRecords })
  const dataWords = preRoots.map((root) => keccak256(root))
  const header: BatchHeader = {
    lane,
    index: parent.index + 1n,
    parentHash: hashHeader(parent),
    postRoot: toHex(replay.state.root()),
    asOf,
    l1Block: pin.number,
    l1Hash: pin.hash,
    ...forcedRange({ start, end, chunkRecords }, (count) => queue.wordAt(count)),
    dataKind: DataKind.CALLDATA,
    chunkCount: preRoots.length,
    dataHash: hashDataWords(dataWords),
    submitter: caller.account.address,
  }
  const calldata = toHex(Buffer.concat(preRoots))
  const data = encodeFunctionData({ abi: rollupAbi, functionName: 'submitBatch', args: [header, calldata] })
  const receipt = await sendCall(caller, { to: rollup, data, label: 'post forced records' })
  return { header, headerHash: hashHeader(header), txHash: receipt.transactionHash, outcomes }
}

function lastTaken(queue: ForcedView, start: bigint): bigint {
  const most = start + BigInt(FORCED_BATCH_ENTRIES)
  return queue.length < most ? queue.length : most
}

function settle(
  replay: LaneReplay,
  entries: readonly ForcedEntry[],
  { asOf, chunkRecords }: { asOf: number; chunkRecords: number },
): { preRoots: Uint8Array[]; outcomes: Outcome[] } {
  const settlement = new Settlement(replay.state, replay.rules, asOf)
  const preRoots: Uint8Array[] = []
  const outcomes = entries.map(({ record }, i) => {
    if (i % chunkRecords === 0) preRoots.push(replay.state.root())
    return settlement.settleForced(record, 0)
  })
  return { preRoots, outcomes }
}

/** Says beforehand, in words, what L1 would revert for. */
async function requireOpen(post: {
  client: L1Client
  rollup: Address
  lane: number
  poster: Address
  oldest: ForcedEntry
  now: number
}): Promise<void> {
  const { client, rollup, lane, poster, oldest, now } = post
  const { operator } = await read(() =>
    client.readContract({ address: rollup, abi: rollupAbi, functionName: 'lane', args: [lane] }),
  )
  if (!(await isBonded(client, rollup, poster))) {
    throw refusal(
      'FORCED_NOT_OPEN',
      `${poster} has no bond of ${MIN_BOND_WEI} wei: who posts answers for the root with it`,
    )
  }
  if (poster.toLowerCase() === operator.toLowerCase()) return
  const openFrom = oldest.queuedAt + FORCED_OPEN_SECONDS
  if (now > openFrom || !(await isBonded(client, rollup, operator))) return
  const since = new Date(oldest.queuedAt * 1000).toISOString()
  const from = new Date(openFrom * 1000).toISOString()
  throw refusal(
    'FORCED_NOT_OPEN',
    `lane ${lane}'s operator is bonded and has until ${from} to take the oldest entry, which waits since ${since}`,
  )
}

async function isBonded(client: L1Client, rollup: Address, account: Address): Promise<boolean> {
  const [amount, releaseAt] = await read(() =>
    client.readContract({ address: rollup, abi: rollupAbi, functionName: 'bondOf', args: [account] }),
  )
  return amount >= MIN_BOND_WEI && releaseAt === 0n
}

async function read<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    throw l1Error('reading the lane', cause)
  }
}

function refusal(code: string, message: string): BackfeedError {
  return new BackfeedError(code, message, { exitCode: ExitCode.refusedByL1 })
}
