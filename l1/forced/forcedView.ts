import { type Hex, type Log, numberToHex, parseEventLogs, toEventSelector } from 'viem'
import { FIRST_ENTRY_WORD, type ForcedEntry, type ForcedRange, nextEntryWord } from '../../protocol/forced.ts'
import { BackfeedError, ExitCode } from '../../runtime/errors.ts'
import { forcedQueueAbi } from '../abi/forcedQueue.ts'
import { fromHex } from '../bytes.ts'
import type { L1Client } from '../client.ts'
import type { Contracts } from '../contracts.ts'
import { l1Error } from '../errors.ts'
import { isOnChain } from '../follow.ts'
import { fetchLogs, type LogLimits } from '../logs.ts'

type At = { number: bigint; hash: Hex }

/** An entry of a lane's forced queue, as L1 announced it. */
export interface QueuedEntry extends ForcedEntry {
  /** From 0. */
  readonly index: bigint
  /** The entry word after it: word `index + 1`. */
  readonly word: Hex
  readonly blockNumber: bigint
}

export interface ForcedViewSettings {
  client: L1Client
  contracts: Pick<Contracts, 'forcedQueue' | 'deployedAtBlock'>
  lane: number
  limits?: LogLimits
}

const recordForced = forcedQueueAbi.filter(
  (item): item is Extract<typeof item, { type: 'event'; name: 'RecordForced' }> =>
    item.type === 'event' && item.name === 'RecordForced',
)
const selectors: Hex[] = recordForced.map((item) => toEventSelector(item))

/**
 * The forced queue of one lane up to a block, from its events alone (docs/protocol.md §10, §15.6). Every entry word is computed
 * again, so an entry left out cannot pass unseen.
 */
export class ForcedView {
  readonly #settings: ForcedViewSettings
  #entries: QueuedEntry[] = []
  #upTo: At | undefined

  constructor(settings: ForcedViewSettings) {
    this.#settings = settings
  }

  /** The block up to which the view knows everything. */
  get upTo(): At | undefined {
    return this.#upTo
  }

  /** How many entries there are. */
  get length(): bigint {
    return BigInt(this.#entries.length)
  }

  /** How many there were after block `blockNumber`, which the view must have reached. */
  lengthAt(blockNumber: bigint): bigint {
    let count = this.#entries.length
    while (count > 0 && this.#entries[count - 1]!.blockNumber > blockNumber) count--
    return BigInt(count)
  }

  entry(index: bigint): QueuedEntry | undefined {
    return index < 0n ? undefined : this.#entries[Number(index)]
  }

  /** The entries `from` to `to` − 1. @throws RangeError when the view does not have them all. */
  slice(from: bigint, to: bigint): readonly QueuedEntry[] {
    if (from < 0n || to < from || to > this.length) {
      throw new RangeError(`entries ${from} to ${to} of a queue of ${this.length}`)
    }
    return this.#entries.slice(Number(from), Number(to))
  }

  /** The entries that a batch takes, checked against what its header says of the queue. The view must reach the batch's block. */
  entriesOf(header: ForcedRange): readonly QueuedEntry[] {
    const { forcedStart, forcedStartHash, forcedEnd, forcedEndHash } = header
    if (forcedEnd > this.length) throw inconsistent(`a batch takes ${forcedEnd} entries of ${this.length}`)
    if (this.wordAt(forcedStart) !== forcedStartHash || this.wordAt(forcedEnd) !== forcedEndHash) {
      throw inconsistent(`a batch states other words for entries ${forcedStart} to ${forcedEnd}`)
    }
    return this.slice(forcedStart, forcedEnd)
  }

  /** The entry word after `count` entries. @throws RangeError beyond the last. */
  wordAt(count: bigint): Hex {
    if (count === 0n) return FIRST_ENTRY_WORD
    const entry = this.entry(count - 1n)
    if (entry === undefined) throw new RangeError(`entry word ${count} of a queue of ${this.length}`)
    return entry.word
  }

  /**
   * Brings the view to `block`; true when it had to be read again because what it had seen was reorganised away. A block before the
   * one it has is no reason to go back. L1_REORGANISED (retryable) when `block` itself is gone.
   */
  async catchUp(block: At, signal?: AbortSignal): Promise<boolean> {
    const { client, contracts, lane, limits } = this.#settings
    const isRebuild = this.#upTo !== undefined && !(await this.#isOnChain(this.#upTo))
    if (!isRebuild && this.#upTo !== undefined && block.number <= this.#upTo.number) return false
    const query = {
      addresses: [contracts.forcedQueue],
      topics: [selectors, numberToHex(lane, { size: 32 })],
      fromBlock: isRebuild || this.#upTo === undefined ? BigInt(contracts.deployedAtBlock) : this.#upTo.number + 1n,
      toBlock: block.number,
    }
    const logs = await fetchLogs(client, query, { signal, ...(limits === undefined ? {} : { limits }) })
    // Logs are asked for by number: only now is it certain whose they were.
    if (!(await this.#isOnChain(block)) || (!isRebuild && this.#upTo && !(await this.#isOnChain(this.#upTo)))) {
      throw new BackfeedError('L1_REORGANISED', `block ${block.number} left the chain`, { retryable: true })
    }
    this.#entries = extended(isRebuild ? [] : this.#entries, logs)
    this.#upTo = { number: block.number, hash: block.hash }
    return isRebuild
  }

  async #isOnChain(block: At): Promise<boolean> {
    try {
      return await isOnChain(this.#settings.client, block)
    } catch (cause) {
      throw l1Error(`looking for block ${block.number}`, cause)
    }
  }
}

function extended(known: readonly QueuedEntry[], logs: Log<bigint, number, false>[]): QueuedEntry[] {
  const events = parseEventLogs({ abi: recordForced, logs })
  const entries = [...known]
  if (events.length !== logs.length) throw inconsistent('an event cannot be decoded')
  for (const { args, blockNumber } of events) {
    const entry = { record: fromHex(args.record), queuedAt: args.queuedAt }
    const word = nextEntryWord(entries.at(-1)?.word ?? FIRST_ENTRY_WORD, entry)
    if (args.index !== BigInt(entries.length))
      throw inconsistent(`entry ${args.index} follows ${entries.length} others`)
    if (word !== args.word) throw inconsistent(`entry ${args.index} does not yield the stated word`)
    entries.push({ ...entry, index: args.index, word, blockNumber })
  }
  return entries
}

function inconsistent(what: string): BackfeedError {
  return new BackfeedError('L1_INCONSISTENT', `the forced queue's events do not agree: ${what}`, {
    exitCode: ExitCode.dataCorrupted,
  })
}
