import { parseEther } from 'viem'
import { rollupAbi } from '../../../l1/abi/rollup.ts'
import { depositBond } from '../../../l1/operate/lanes.ts'
import { ForcedView, type QueuedEntry } from '../../../l1/forced/forcedView.ts'
import { openLaneView } from '../../../l1/laneView/laneView.ts'
import { type BatchHeader, genesisHeader, hashHeader } from '../../../protocol/batchHeader.ts'
import { recordDomain } from '../../../protocol/domain.ts'
import { type ForcedEntry, forcedChunksFor } from '../../../protocol/forced.ts'
import type { LaneRules } from '../../../protocol/laneRules.ts'
import { LaneState } from '../../../protocol/laneState.ts'
import { SLASH_WEI } from '../../../protocol/limits.ts'
import type { TestLane } from '../laneFixture.ts'
import { type BuiltBatch, buildBatch, type Lie } from './buildBatch.ts'
import { type DataMode, type Posted, type Poster, postBatch } from './postBatch.ts'

/** A lane's operator who can lie. Keeps the honest state apart, so that it can go on after a rollback. */
export class EvilLane {
  readonly fixture: TestLane
  readonly domain: Uint8Array
  readonly poster: Poster
  /** Honest batches on L1, in order. */
  readonly honest: { built: BuiltBatch; posted: Posted }[] = []
  #genesis: { header: BatchHeader; headerHash: `0x${string}` } | undefined

  constructor(fixture: TestLane, lane = fixture.lane, operator = fixture.operator) {
    const { client, contracts } = fixture
    this.fixture = fixture
    const send = (raw: `0x${string}`) => fixture.anvil.rpc('eth_sendRawTransaction', [raw])
    this.poster = { client, rollup: contracts.rollup, operator, lane, send }
    this.domain = recordDomain({ chainId: BigInt(client.chain.id), rollup: contracts.rollup, lane })
  }

  /** L1's rules as of now; a new object every time. */
  async rules(): Promise<LaneRules> {
    const { client, contracts } = this.fixture
    const view = await openLaneView({ client, contracts, lane: this.poster.lane })
    await view.catchUp(await client.getBlock())
    return view.rules
  }

  /** What has happened honestly. */
  async state(rules: LaneRules): Promise<LaneState> {
    const state = new LaneState()
    for (const { built } of this.honest) {
      buildBatch(state, rules, {
        asOf: built.asOf,
        bodies: built.chunks
          .slice(forcedChunksFor(built.entries.length, rules.layout.chunkRecords))
          .map(({ body }) => body),
        entries: built.entries,
        domain: this.domain,
      })
    }
    return state
  }

  async parent(): Promise<{ header: BatchHeader; headerHash: `0x${string}` }> {
    const last = this.honest.at(-1)
    if (last !== undefined) return last.posted
    if (this.#genesis === undefined) {
      const { client, contracts } = this.fixture
      const events = await client.getContractEvents({
        address: contracts.rollup,
        abi: rollupAbi,
        eventName: 'LaneOpened',
        args: { lane: this.poster.lane },
        fromBlock: 0n,
        strict: true,
      })
      const header = genesisHeader(this.poster.lane, events[0]!.args.genesis.asOf)
      this.#genesis = { header, headerHash: hashHeader(header) }
    }
    return this.#genesis
  }

  async asOf(): Promise<number> {
    return (await this.fixture.anvil.now()) - 5
  }

  /** What waits in the forced queue. */
  async waiting(): Promise<readonly QueuedEntry[]> {
    const { client, contracts } = this.fixture
    const view = new ForcedView({ client, contracts, lane: this.poster.lane })
    await view.catchUp(await client.getBlock())
    return view.slice((await this.parent()).header.forcedEnd, view.length)
  }

  async build(
    bodies: readonly Uint8Array[],
    lie?: Lie,
    entries: readonly ForcedEntry[] = [],
  ): Promise<{ built: BuiltBatch; state: LaneState }> {
    const rules = await this.rules()
    const state = await this.state(rules)
    const parts = { asOf: await this.asOf(), bodies, domain: this.domain, entries }
    return { built: buildBatch(state, rules, lie === undefined ? parts : { ...parts, lie }), state }
  }

  /** `poster`: who posts it, if not the operator. */
  async postHonest(
    bodies: readonly Uint8Array[],
    mode: DataMode,
    entries: readonly ForcedEntry[] = [],
    poster = this.poster,
  ): Promise<Posted> {
    const { built } = await this.build(bodies, undefined, entries)
    const posted = await postBatch(poster, await this.parent(), built, { mode })
    this.honest.push({ built, posted })
    return posted
  }

  /** Posts a batch with a lie in it, and `after` honest-looking batches on top of it. */
  async postLie(
    story: { bodies: readonly Uint8Array[]; lie: Lie; entries?: readonly ForcedEntry[] },
    mode: DataMode,
    after: readonly (readonly Uint8Array[])[] = [],
  ): Promise<Posted> {
    const { built, state } = await this.build(story.bodies, story.lie, story.entries)
    const posted = await postBatch(this.poster, await this.parent(), built, { mode })
    let parent = posted
    for (const bodies of after) {
      const next = buildBatch(state, await this.rules(), { asOf: await this.asOf(), bodies, domain: this.domain })
      parent = await postBatch(this.poster, parent, next, { mode })
    }
    return posted
  }

  /** Pays up what a slash took. */
  async bondAgain(): Promise<void> {
    const { client } = this.fixture
    const { address } = this.poster.operator
    await this.fixture.anvil.setBalance(address, parseEther('10000'))
    await depositBond({ client, account: this.poster.operator }, this.poster.rollup, SLASH_WEI)
  }

  async tip(): Promise<bigint> {
    const lane = await this.fixture.client.readContract({
      address: this.poster.rollup,
      abi: rollupAbi,
      functionName: 'lane',
      args: [this.poster.lane],
    })
    return lane.tip
  }
}
