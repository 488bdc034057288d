import { BlockNotFoundError, type Hex } from 'viem'
import { BackfeedError, describeError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/log.ts'
import { PokableTimer } from '../runtime/pokableTimer.ts'
import type { Component } from '../runtime/service.ts'
import type { L1Client } from './client.ts'
import { l1Error } from './errors.ts'
import { type Finality, readFinalBlock } from './finality.ts'

export interface BlockRef {
  readonly number: bigint
  readonly hash: Hex
  readonly parentHash: Hex
  /** Seconds. */
  readonly timestamp: number
}

export interface Reorg {
  /** The newest block that this follower had seen and that is still on the chain; undefined: none that it remembers. */
  readonly ancestor: BlockRef | undefined
  readonly abandonedHead: BlockRef
  /** A block that was held final is gone: whatever was built on it must be rebuilt, and an operator told. */
  readonly brokeFinality: boolean
}

export interface L1Update {
  readonly head: BlockRef
  /** The newest block held final. */
  readonly final: BlockRef
  /** What happened to the chain since the update before. */
  readonly reorg: Reorg | undefined
}

export interface FollowerSettings {
  client: L1Client
  finality: Finality
  pollMs: number
  log: Logger
  /** Blocks remembered for finding where a reorganisation began. Default 512. */
  rememberedBlocks?: number
}

/**
 * Watches the head of L1 by polling: the same over any provider, and nothing is missed when a connection drops. Listeners run one
 * after another and are waited for, so that an update is handled before the next is looked for. What a listener throws is the
 * service's fault, unless it is retryable: then the same update comes again.
 */
export class L1Follower implements Component {
  readonly name = 'l1Follower'
  readonly #settings: FollowerSettings
  readonly #log: Logger
  readonly #listeners = new Set<(update: L1Update) => Promise<void> | void>()
  /** Ascending; may have holes where blocks came faster than polls. */
  #seen: BlockRef[] = []
  #final: BlockRef | undefined
  /** `#final` is no longer on the chain: the next one replaces it, also a lower one. Until it is known others still see this one. */
  #isFinalGone = false
  #pendingReorg: Reorg | undefined
  #isUntold = false
  #toldHead: BlockRef | undefined
  #running: Promise<void> | undefined
  readonly #stopping = new AbortController()
  readonly #timer = new PokableTimer(this.#stopping.signal)

  constructor(settings: FollowerSettings) {
    this.#settings = settings
    this.#log = settings.log.child({ stage: 'follow' })
  }

  get head(): BlockRef {
    return this.#require(this.#seen.at(-1))
  }

  get final(): BlockRef {
    return this.#require(this.#final)
  }

  /** Returns how to stop listening. */
  onUpdate(listener: (update: L1Update) => Promise<void> | void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Look now. */
  poke(): void {
    this.#timer.poke()
  }

  /** Resolves after a first look: `head` and `final` are there from then on. */
  async start(context: { fail(error: unknown): void }): Promise<void> {
    await this.#look()
    this.#running = this.#run().catch((error: unknown) => context.fail(error))
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      try {
        if (this.#isUntold) await this.#tell()
        await this.#timer.pause(this.#settings.pollMs)
        if (this.#stopping.signal.aborted) return
        await this.#look()
        failures = 0
      } catch (error) {
        if (!(error instanceof BackfeedError) || !error.retryable) throw error
        if (failures++ === 0) this.#log.warn({ err: error }, `following L1: ${describeError(error)}`)
        await this.#timer.pause(Math.min(this.#settings.pollMs * 2 ** Math.min(failures, 4), 30_000))
      }
    }
  }

  async #tell(): Promise<void> {
    const update: L1Update = { head: this.head, final: this.final, reorg: this.#pendingReorg }
    for (const listener of this.#listeners) {
      if (this.#stopping.signal.aborted) return
      await listener(update)
    }
    this.#pendingReorg = undefined
    this.#toldHead = update.head
    this.#isUntold = false
  }

  async #look(): Promise<void> {
    const { client, finality } = this.#settings
    try {
      const head = toRef(await client.getBlock({ blockTag: 'latest' }))
      const previous = this.#seen.at(-1)
      const isHeadNew = head.hash !== previous?.hash
      const kept = isHeadNew && previous !== undefined ? await this.#keptBefore(previous, head) : this.#seen
      if (isHeadNew) this.#remember([...kept, head])
      const finalNumber = await readFinalBlock(client, finality, head.number)
      const isFinalNew = await this.#moveFinal(finalNumber)
      // Both are known only here: a look that failed half way is told once one succeeds.
      this.#isUntold ||= isHeadNew || isFinalNew || this.#seen.at(-1)?.hash !== this.#toldHead?.hash
    } catch (cause) {
      const error = l1Error('looking at the head', cause)
      if (error.retryable || cause instanceof BackfeedError) throw error
      // A node that is behind a balancer, or in the middle of a reorganisation, says odd things for a while.
      throw new BackfeedError(error.code, error.message, { retryable: true, exitCode: error.exitCode, cause })
    }
  }

  /** What was seen and is still on the chain of this head. */
  async #keptBefore(previous: BlockRef, head: BlockRef): Promise<BlockRef[]> {
    if (head.parentHash === previous.hash) return this.#seen
    const kept: BlockRef[] = [...this.#seen]
    while (kept.length > 0) {
      const candidate = kept.at(-1)!
      if (candidate.number < head.number && (await this.#isOnChain(candidate))) break
      kept.pop()
    }
    if (kept.length === this.#seen.length) return kept
    const ancestor = kept.at(-1)
    const isFinalGone = this.#final !== undefined && !(await this.#isOnChain(this.#final))
    this.#isFinalGone ||= isFinalGone
    this.#pendingReorg = {
      // Two reorganisations before a listener heard of the first: the older ancestor covers both.
      ancestor: older(ancestor, this.#pendingReorg),
      abandonedHead: this.#pendingReorg?.abandonedHead ?? previous,
      brokeFinality: isFinalGone || (this.#pendingReorg?.brokeFinality ?? false),
    }
    const fields = { from: Number(previous.number), ancestor: ancestor && Number(ancestor.number) }
    if (isFinalGone) this.#log.error(fields, 'L1 reorganised away a block that was held final')
    else this.#log.warn(fields, 'L1 reorganised')
    return kept
  }

  async #moveFinal(number: bigint): Promise<boolean> {
    // Never back: another node of a balancer may be behind.
    if (this.#final !== undefined && !this.#isFinalGone && number <= this.#final.number) return false
    const known = this.#seen.find((block) => block.number === number)
    this.#final = known ?? toRef(await this.#settings.client.getBlock({ blockNumber: number }))
    this.#isFinalGone = false
    return true
  }

  async #isOnChain(block: BlockRef): Promise<boolean> {
    return await isOnChain(this.#settings.client, block)
  }

  #remember(seen: BlockRef[]): void {
    this.#seen = seen.slice(-(this.#settings.rememberedBlocks ?? 512))
  }

  #require(block: BlockRef | undefined): BlockRef {
    if (block === undefined) throw new Error('the follower has not started')
    return block
  }
}

export async function isOnChain(client: L1Client, block: { number: bigint; hash: Hex }): Promise<boolean> {
  try {
    return (await client.getBlock({ blockNumber: block.number })).hash === block.hash
  } catch (error) {
    if (error instanceof BlockNotFoundError) return false
    throw error
  }
}

function older(ancestor: BlockRef | undefined, pending: Reorg | undefined): BlockRef | undefined {
  if (pending === undefined) return ancestor
  if (ancestor === undefined || pending.ancestor === undefined) return undefined
  return ancestor.number < pending.ancestor.number ? ancestor : pending.ancestor
}

/** What is kept of a block. */
export function toRef(block: { number: bigint; hash: Hex; parentHash: Hex; timestamp: bigint }): BlockRef {
  return { number: block.number, hash: block.hash, parentHash: block.parentHash, timestamp: Number(block.timestamp) }
}
