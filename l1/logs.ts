import { type Address, formatLog, type Hex, type Log, numberToHex, type RpcLog } from 'viem'
import { BackfeedError, isBackfeedError } from '../runtime/errors.ts'
import { retry } from '../runtime/wait.ts'
import type { L1Client } from './client.ts'
import { isUnreachable, l1Error } from './errors.ts'

export interface LogQuery {
  addresses: readonly Address[]
  /** As in eth_getLogs: position by position, null for any. */
  topics: readonly (Hex | readonly Hex[] | null)[]
  fromBlock: bigint
  toBlock: bigint
}

export interface LogLimits {
  /** Blocks asked for at a time; halved when the node refuses. */
  maxRangeBlocks: number
  /** Attempts at one range before the fault is passed on. */
  attempts: number
}

/** Providers commonly refuse more than 2 000 to 10 000 blocks. */
export const LOG_LIMITS: LogLimits = { maxRangeBlocks: 2_000, attempts: 5 }

/** Every matching log, in the chain's order. A log of an orphaned block is a fault: look again. */
export async function fetchLogs(
  client: L1Client,
  query: LogQuery,
  options: { limits?: LogLimits; signal?: AbortSignal | undefined } = {},
): Promise<Log<bigint, number, false>[]> {
  const limits = options.limits ?? LOG_LIMITS
  const found: Log<bigint, number, false>[] = []
  let range = BigInt(limits.maxRangeBlocks)
  for (let from = query.fromBlock; from <= query.toBlock; ) {
    options.signal?.throwIfAborted()
    const last = from + range - 1n
    const to = last < query.toBlock ? last : query.toBlock
    const logs = await fetchRange(client, { ...query, fromBlock: from, toBlock: to }, limits, options.signal)
    if (logs === 'tooMany') {
      range = range > 1n ? (to - from + 2n) / 2n : 1n
      continue
    }
    for (const log of logs) found.push(log)
    from = to + 1n
  }
  return found
}

async function fetchRange(
  client: L1Client,
  query: LogQuery,
  limits: LogLimits,
  signal: AbortSignal | undefined,
): Promise<Log<bigint, number, false>[] | 'tooMany'> {
  const policy = { attempts: limits.attempts, firstDelayMs: 200, maxDelayMs: 5_000 }
  const isSplittable = query.toBlock > query.fromBlock
  const attempt = async (): Promise<Log<bigint, number, false>[] | 'tooMany'> => {
    try {
      const logs = (await client.request({
        method: 'eth_getLogs',
        params: [
          {
            address: [...query.addresses],
            topics: query.topics as never,
            fromBlock: numberToHex(query.fromBlock),
            toBlock: numberToHex(query.toBlock),
          },
        ],
      })) as RpcLog[]
      return logs.map(toMinedLog)
    } catch (cause) {
      // Whatever words a node has for "too much", a smaller question answers them. Silence is another matter.
      if (isSplittable && !isUnreachable(cause) && !isBackfeedError(cause)) return 'tooMany'
      const error = l1Error(`reading logs of blocks ${query.fromBlock} to ${query.toBlock}`, cause)
      if (error.retryable) throw error
      throw new BackfeedError(error.code, error.message, { retryable: true, exitCode: error.exitCode, cause })
    }
  }
  return await retry(policy, attempt, signal)
}

function toMinedLog(rpcLog: RpcLog): Log<bigint, number, false> {
  const log = formatLog(rpcLog)
  if (log.removed || log.blockNumber === null || log.blockHash === null || log.transactionHash === null) {
    throw new BackfeedError('L1_REORGANISED', 'a log of a block that is not on the chain', { retryable: true })
  }
  return log as Log<bigint, number, false>
}
