import { LaneRules } from '../../protocol/laneRules.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { rollupAbi } from '../abi/rollup.ts'
import type { L1Client } from '../client.ts'
import type { Contracts } from '../contracts.ts'
import { l1Error } from '../errors.ts'
import { isOnChain } from '../follow.ts'
import { fetchLogs, type LogLimits } from '../logs.ts'
import { applyLaneEvents, type LaneOf, laneEventQuery } from './laneEvents.ts'
import { type SchemeLayout, schemeLayout } from '../../protocol/scheme.ts'

type At = { number: bigint; hash: `0x${string}` }

export interface LaneViewSettings {
  client: L1Client
  contracts: Contracts
  lane: number
  limits?: LogLimits
}

/** Learns the lane's zone and scheme, which never change. */
export async function openLaneView(settings: LaneViewSettings): Promise<LaneView> {
  const { client, contracts, lane } = settings
  try {
    const rollup = { address: contracts.rollup, abi: rollupAbi, args: [lane] } as const
    const [zone, scheme] = await Promise.all([
      client.readContract({ ...rollup, functionName: 'zoneOf' }),
      client.readContract({ ...rollup, functionName: 'schemeOf' }),
    ])
    return new LaneView(settings, { lane, zone, layout: schemeLayout(scheme) })
  } catch (cause) {
    throw l1Error(`reading the zone and scheme of lane ${lane}`, cause)
  }
}

/** Everything of L1 that settlement in one lane can see, up to a block, from events alone. */
export class LaneView {
  readonly of: LaneOf & { readonly layout: SchemeLayout }
  readonly #settings: LaneViewSettings
  #rules: LaneRules
  #upTo: At | undefined

  constructor(settings: LaneViewSettings, of: LaneOf & { layout: SchemeLayout }) {
    this.#settings = settings
    this.of = of
    this.#rules = new LaneRules(of.layout)
  }

  /** Replaced by another object when L1 reorganised: do not keep it across `catchUp`. */
  get rules(): LaneRules {
    return this.#rules
  }

  /** The block up to which `rules` knows everything. */
  get upTo(): At | undefined {
    return this.#upTo
  }

  /**
   * Brings the view to `block`; true when it had to be rebuilt because what it had seen was reorganised away. A block before the
   * one it has is no reason to go back: a newer view answers an older `asOf` alike. L1_REORGANISED (retryable) when `block` itself is gone.
   */
  async catchUp(block: At, signal?: AbortSignal): Promise<boolean> {
    const { client, contracts } = this.#settings
    const isRebuild = this.#upTo !== undefined && !(await this.#isOnChain(this.#upTo))
    if (!isRebuild && this.#upTo !== undefined && block.number <= this.#upTo.number) return false
    const from = isRebuild || this.#upTo === undefined ? BigInt(contracts.deployedAtBlock) : this.#upTo.number + 1n
    const query = laneEventQuery(contracts, this.of, { fromBlock: from, toBlock: block.number })
    const { limits } = this.#settings
    const logs = await fetchLogs(client, query, { signal, ...(limits === undefined ? {} : { limits }) })
    // Logs are asked for by number: only now is it certain whose they were.
    if (!(await this.#isOnChain(block)) || (!isRebuild && this.#upTo && !(await this.#isOnChain(this.#upTo)))) {
      throw new BackfeedError('L1_REORGANISED', `block ${block.number} left the chain`, { retryable: true })
    }
    const rules = isRebuild ? new LaneRules(this.of.layout) : this.#rules
    this.#upTo = undefined // A half-applied view must not pass for a whole one.
    try {
      applyLaneEvents(rules, this.of, logs)
    } catch (error) {
      this.#rules = new LaneRules(this.of.layout)
      throw error
    }
    this.#rules = rules
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
