import { type Hex, type Log, numberToHex, parseEventLogs, toEventSelector } from 'viem'
import { hashHeader } from '../../protocol/batchHeader.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { rollupAbi } from '../abi/rollup.ts'
import type { L1Client } from '../client.ts'
import type { Contracts } from '../contracts.ts'
import { l1Error } from '../errors.ts'
import { isOnChain } from '../follow.ts'
import { fetchLogs, type LogLimits } from '../logs.ts'
import { type LaneEvent, LaneHistory, type Place } from './laneHistory.ts'

type At = { number: bigint; hash: Hex }

export interface LaneDeriverSettings {
  client: L1Client
  contracts: Pick<Contracts, 'rollup' | 'deployedAtBlock'>
  lane: number
  limits?: LogLimits
}

export interface CatchUp {
  /** New events, in order. */
  events: readonly LaneEvent[]
  /** The block to which the history went back first, when L1 had reorganised; −1: to nothing. */
  rewoundTo: bigint | undefined
}

const NAMES = ['LaneOpened', 'BatchSubmitted', 'BatchesRolledBack'] as const
const historyAbi = rollupAbi.filter(
  (item): item is Extract<typeof item, { type: 'event'; name: (typeof NAMES)[number] }> =>
    item.type === 'event' && (NAMES as readonly string[]).includes(item.name),
)
const selectors: Hex[] = historyAbi.map((item) => toEventSelector(item))

/** Reads the batches of one lane back from L1 alone. */
export class LaneDeriver {
  readonly history = new LaneHistory()
  readonly #settings: LaneDeriverSettings
  /** Blocks up to which the history was complete, ascending: where a reorganisation can be undone to. */
  #checkpoints: At[] = []

  constructor(settings: LaneDeriverSettings) {
    this.#settings = settings
  }

  get upTo(): At | undefined {
    return this.#checkpoints.at(-1)
  }

  /** Brings the history to `block`. L1_REORGANISED (retryable) when `block` itself is not on the chain any more. */
  async catchUp(block: At, signal?: AbortSignal): Promise<CatchUp> {
    const { client, contracts, lane, limits } = this.#settings
    const rewoundTo = await this.#undoReorg()
    const { upTo } = this
    if (upTo !== undefined && block.number <= upTo.number) return { events: [], rewoundTo }
    const query = {
      addresses: [contracts.rollup],
      topics: [selectors, numberToHex(lane, { size: 32 })],
      fromBlock: upTo === undefined ? BigInt(contracts.deployedAtBlock) : upTo.number + 1n,
      toBlock: block.number,
    }
    const logs = await fetchLogs(client, query, { signal, ...(limits === undefined ? {} : { limits }) })
    const events = await this.#decode(logs)
    if (!(await this.#isOnChain(block)) || (upTo !== undefined && !(await this.#isOnChain(upTo)))) {
      throw new BackfeedError('L1_REORGANISED', `block ${block.number} left the chain`, { retryable: true })
    }
    for (const event of events) this.history.apply(event)
    this.#checkpoints.push({ number: block.number, hash: block.hash })
    if (this.#checkpoints.length > 512) this.#checkpoints.shift()
    return { events, rewoundTo }
  }

  async #undoReorg(): Promise<bigint | undefined> {
    let hasGone = false
    while (this.#checkpoints.length > 0 && !(await this.#isOnChain(this.#checkpoints.at(-1)!))) {
      this.#checkpoints.pop()
      hasGone = true
    }
    if (!hasGone) return undefined
    const to = this.upTo?.number ?? -1n
    this.history.rewind(to)
    return to
  }

  async #decode(logs: Log<bigint, number, false>[]): Promise<LaneEvent[]> {
    const parsed = parseEventLogs({ abi: historyAbi, logs })
    if (parsed.length !== logs.length) {
      throw new BackfeedError(
        'L1_INCONSISTENT',
        `${logs.length - parsed.length} events of the rollup cannot be decoded`,
      )
    }
    const events: LaneEvent[] = []
    for (const log of parsed) {
      const place: Place = {
        blockNumber: log.blockNumber,
        blockHash: log.blockHash!,
        txHash: log.transactionHash!,
      }
      switch (log.eventName) {
        case 'LaneOpened': {
          const { genesis: header, zone, scheme, owner } = log.args
          events.push({
            kind: 'opened',
            genesis: { header, headerHash: hashHeader(header), zone, scheme, owner, place },
          })
          break
        }
        case 'BatchSubmitted': {
          const { header, headerHash, dataWords } = log.args
          const submittedAt = await this.#timeOf(log, place)
          events.push({ kind: 'submitted', batch: { header, headerHash, dataWords, submittedAt, place } })
          break
        }
        case 'BatchesRolledBack': {
          const { index, headerHash, prover } = log.args
          events.push({ kind: 'rolledBack', index, headerHash, prover, place })
          break
        }
        default:
          throw new Error(`unknown event ${(log satisfies never as { eventName: string }).eventName}`)
      }
    }
    return events
  }

  /** Most nodes give the time with the log; the older ones must be asked. */
  async #timeOf(log: { blockTimestamp?: bigint | null | undefined }, place: Place): Promise<number> {
    if (log.blockTimestamp !== undefined && log.blockTimestamp !== null) return Number(log.blockTimestamp)
    try {
      return Number((await this.#settings.client.getBlock({ blockHash: place.blockHash })).timestamp)
    } catch (cause) {
      throw l1Error(`reading the time of block ${place.blockNumber}`, cause)
    }
  }

  async #isOnChain(block: At): Promise<boolean> {
    try {
      return await isOnChain(this.#settings.client, block)
    } catch (cause) {
      throw l1Error(`looking for block ${block.number}`, cause)
    }
  }
}
