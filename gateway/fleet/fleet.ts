import type { Address } from 'viem'
import type { L1Client } from '../../l1/client.ts'
import type { Contracts } from '../../l1/contracts.ts'
import { l1Error } from '../../l1/errors.ts'
import { type Finality, readFinalBlock } from '../../l1/finality.ts'
import { type LaneView, openLaneView } from '../../l1/laneView/laneView.ts'
import { readLane } from '../../l1/operate/standing.ts'
import { P256_LAYOUT } from '../../protocol/scheme.ts'
import { BackfeedError, describeError, ExitCode } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { PokableTimer } from '../../runtime/pokableTimer.ts'
import type { Component } from '../../runtime/service.ts'
import { MAX_OPERATORS } from '../../evse/limits.ts'
import { MAX_GATEWAY_LANES, MAX_LISTED_PROBLEMS } from '../limits.ts'
import type { ReportsStatus, SourceProblem, SourceStatus } from '../sourceStatus.ts'
import type { ContractEntry, EvseEntry } from './config.ts'
import type { Contract, Directory, EdgeEvse } from './directory.ts'
import type { Position } from '../../evse/position/geofence.ts'
import { type KnownEvse, knownContract, knownEvse } from './laneSlots.ts'
import { type Refusal, refusal, type Span } from './permit.ts'
import type { FleetTables } from './tables.ts'

export interface FleetSettings {
  readonly tables: FleetTables
  readonly client: L1Client
  readonly contracts: Contracts
  readonly finality: Finality
  /** Between looks at L1, milliseconds. */
  readonly pollMs: number
  readonly positionMaxAgeMs: number
  /** Wall clock of the gateway, milliseconds. */
  readonly now: () => number
  readonly monotonicMs: () => number
  readonly log: Logger
}

/** So many looks may fail before L1 counts as lost: descriptors change with half an hour's notice, so a few do no harm. */
const LOOKS_BEFORE_LOST = 5

/** The EVSEs and contracts of the configuration with what L1 says of them, followed as it changes. */
export class Fleet implements Directory, Component, ReportsStatus {
  readonly name = 'fleet'
  readonly #settings: FleetSettings
  readonly #log: Logger
  readonly #entries: ReadonlyMap<string, EvseEntry>
  readonly #contractOfToken = new Map<string, ContractEntry>()
  readonly #contractOfSlot = new Map<string, ContractEntry>()
  readonly #entryAtStation = new Map<string, EvseEntry>()
  readonly #views = new Map<number, LaneView>()
  readonly #operators = new Map<number, readonly Address[]>()
  readonly #signerKeys = new Map<string, Uint8Array>()
  readonly #positions = new Map<string, { position: Position; atMs: number }>()
  #registered: (evse: EdgeEvse) => void = () => {}
  #known = new Map<string, KnownEvse>()
  #head: { readonly timestamp: number; readonly seenAtMs: number } | undefined
  #failures = 0
  #failure = ''
  #running: Promise<void> | undefined
  readonly #stopping = new AbortController()
  readonly #timer = new PokableTimer(this.#stopping.signal)

  constructor(settings: FleetSettings) {
    this.#settings = settings
    this.#log = settings.log.child({ stage: 'fleet' })
    const { evses, contracts } = settings.tables
    this.#entries = new Map(evses.map((entry) => [entry.name, entry]))
    for (const entry of evses) {
      if (entry.station !== undefined) this.#entryAtStation.set(stationKey(entry.station, entry.evseId), entry)
    }
    for (const entry of contracts) {
      this.#contractOfSlot.set(`${entry.lane}/${entry.slot}`, entry)
      for (const token of entry.tokens) this.#contractOfToken.set(tokenKey(entry.lane, token), entry)
    }
    const lanes = new Set([...evses, ...contracts].map(({ lane }) => lane))
    if (lanes.size > MAX_GATEWAY_LANES) {
      throw new BackfeedError('CONFIG_INVALID', `evses.lane: ${lanes.size} lanes, and at most ${MAX_GATEWAY_LANES}`, {
        exitCode: ExitCode.usage,
      })
    }
  }

  /**
   * Reads every lane once, and refuses what is wrong and stays wrong.
   * @throws BackfeedError L1_UNREACHABLE, LANE_NOT_P256
   */
  async start(): Promise<void> {
    const { client, contracts } = this.#settings
    for (const lane of new Set([...this.#entries.values(), ...this.#contractOfSlot.values()].map(({ lane }) => lane))) {
      const view = await openLaneView({ client, contracts, lane })
      if (view.of.layout.scheme !== P256_LAYOUT.scheme) {
        throw new BackfeedError(
          'LANE_NOT_P256',
          `lane ${lane} signs with ${view.of.layout.name}; a gateway's EVSEs have P-256 keys`,
          {
            exitCode: ExitCode.usage,
          },
        )
      }
      this.#views.set(lane, view)
    }
    await this.look()
    this.#running = this.#follow()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  get evses(): readonly EdgeEvse[] {
    return [...this.#known.values()].map(({ evse }) => evse)
  }

  /** Called for every EVSE of the configuration that comes to L1 from now on, once it is known here. */
  onRegistered(listener: (evse: EdgeEvse) => void): void {
    this.#registered = listener
  }

  evse(name: string): EdgeEvse | undefined {
    return this.#known.get(name)?.evse
  }

  atStation(station: string, evseId: number): EdgeEvse | undefined {
    const entry = this.#entryAtStation.get(stationKey(station, evseId))
    return entry && this.evse(entry.name)
  }

  contract(lane: number, slot: number): Contract | undefined {
    return this.#contract(this.#contractOfSlot.get(`${lane}/${slot}`) ?? { lane, slot, tokens: [] })
  }

  contractOfToken(lane: number, token: string): Contract | undefined {
    return this.#contract(this.#contractOfToken.get(tokenKey(lane, token)))
  }

  /**
   * The lane's operator on L1, and those that were it before while this gateway ran: a receipt is slashed by its signer's bond
   * (docs/protocol.md §13), and a repeat of what a former one accepted comes with that one's receipt.
   */
  operatorOf(lane: number): readonly Address[] | undefined {
    return this.#operators.get(lane)
  }

  /** Newest block of L1 that was seen: its time, seconds, and when that was, of the monotonic clock. */
  get head(): { readonly timestamp: number; readonly seenAtMs: number } | undefined {
    return this.#head
  }

  /**
   * From now on the gateway signs for this EVSE with this key.
   * @throws BackfeedError KEY_NOT_REGISTERED when L1 has another key in the EVSE's slot
   */
  bindSigner(name: string, publicKey: Uint8Array): void {
    this.#signerKeys.set(name, publicKey)
    const refused = this.refusal(name)
    if (refused?.code !== 'KEY_NOT_REGISTERED') return
    throw new BackfeedError(refused.code, refused.message, { exitCode: ExitCode.usage, details: { evse: name } })
  }

  /** Where an EVSE says that it is; counts with position = "mqtt". `atMs` on the wall clock. */
  reportPosition(name: string, position: Position, atMs: number): void {
    const before = this.#positions.get(name)
    if (this.#entries.has(name) && (before === undefined || before.atMs <= atMs)) {
      this.#positions.set(name, { position, atMs })
    }
  }

  /** Why nothing may be signed for an EVSE over a span (default: this moment); undefined when it may. */
  refusal(name: string, span?: Span): Refusal | undefined {
    const entry = this.#entries.get(name)
    if (entry === undefined) {
      return { code: 'EVSE_UNKNOWN', message: `${name} is not in the configuration`, evse: name, retryable: false }
    }
    const now = Math.floor(this.#settings.now() / 1000)
    return refusal({
      ...entry,
      known: this.#known.get(name),
      signerKey: this.#signerKeys.get(name),
      position: this.#positionOf(entry),
      span: span ?? { start: now, end: now },
    })
  }

  status(): SourceStatus {
    const problems: SourceProblem[] = []
    const isLost = this.#failures >= LOOKS_BEFORE_LOST
    if (isLost)
      problems.push({ code: 'L1_UNREACHABLE', message: `L1 was not read ${this.#failures} times: ${this.#failure}` })
    let refused = 0
    for (const name of this.#entries.keys()) {
      const why = this.refusal(name)
      if (why === undefined) continue
      refused++
      if (problems.length < MAX_LISTED_PROBLEMS) problems.push({ code: why.code, message: why.message, evse: name })
    }
    return {
      name: 'fleet',
      state: isLost ? 'DOWN' : problems.length > 0 ? 'DEGRADED' : 'UP',
      figures: {
        evses: this.#entries.size,
        active: this.#entries.size - refused,
        contracts: this.#contractOfSlot.size,
        lanes: this.#views.size,
        l1Block: this.#head === undefined ? 'none' : new Date(this.#head.timestamp * 1000).toISOString(),
      },
      problems,
    }
  }

  /** Brings everything up to L1's newest final block. @throws BackfeedError, L1's */
  async look(): Promise<void> {
    const { client, contracts, finality, monotonicMs } = this.#settings
    try {
      const head = await client.getBlock({ blockTag: 'latest' })
      const finalNumber = await readFinalBlock(client, finality, head.number)
      const final = finalNumber === head.number ? head : await client.getBlock({ blockNumber: finalNumber })
      let isRebuilt = false
      for (const view of this.#views.values()) {
        if (view.upTo !== undefined && view.upTo.number >= final.number) continue
        isRebuilt = (await view.catchUp(final, this.#stopping.signal)) || isRebuilt
      }
      for (const lane of this.#views.keys()) {
        const { operator } = await readLane(client, contracts.rollup, lane)
        const before = this.#operators.get(lane) ?? []
        if (before[0] === operator) continue
        if (before.length > 0) this.#log.warn({ lane, before: before[0], operator }, 'the lane has another operator')
        const former = before.filter((each) => each !== operator)
        this.#operators.set(lane, [operator, ...former].slice(0, MAX_OPERATORS))
      }
      this.#learn(isRebuilt)
      this.#head = { timestamp: Number(head.timestamp), seenAtMs: monotonicMs() }
      this.#failures = 0
    } catch (cause) {
      throw cause instanceof BackfeedError ? cause : l1Error('looking at the lanes', cause)
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping
    for (;;) {
      await this.#timer.pause(this.#settings.pollMs * 2 ** Math.min(this.#failures, 3))
      if (signal.aborted) return
      try {
        await this.look()
      } catch (error) {
        if (signal.aborted) return
        this.#failure = describeError(error)
        if (++this.#failures === LOOKS_BEFORE_LOST) this.#log.error({ err: error }, 'L1 cannot be read')
      }
    }
  }

  /** An entry that did not change keeps its object: sources may hold on to it. */
  #learn(isRebuilt: boolean): void {
    const known = new Map<string, KnownEvse>()
    const fresh: EdgeEvse[] = []
    for (const entry of this.#entries.values()) {
      const { rules } = this.#views.get(entry.lane)!
      const before = isRebuilt ? undefined : this.#known.get(entry.name)
      const isSame = before !== undefined && rules.evses.endsAt[entry.slot] === before.term.endsAt
      const now = isSame ? before : knownEvse(entry, rules)
      if (now === undefined) continue
      known.set(entry.name, now)
      if (!this.#known.has(entry.name)) fresh.push(now.evse)
      if (before !== undefined && !isSame) this.#log.warn({ evse: entry.name, ...now.term }, 'its slot ends')
    }
    this.#known = known
    for (const evse of fresh) this.#registered(evse)
  }

  #contract(entry: ContractEntry | undefined): Contract | undefined {
    const rules = entry && this.#views.get(entry.lane)?.rules
    return rules && knownContract(entry, rules)
  }

  #positionOf({ name, position, lat, lon }: EvseEntry): Position | 'registered' | undefined {
    if (position === 'registered') return 'registered'
    if (position === 'surveyed') return { lat: lat!, lon: lon! }
    const fix = this.#positions.get(name)
    if (fix === undefined || this.#settings.now() - fix.atMs > this.#settings.positionMaxAgeMs) return undefined
    return fix.position
  }
}

// A name that holds a slash cannot pass for another station's EVSE: the number comes first.
const stationKey = (station: string, evseId: number): string => `${evseId}/${station}`
const tokenKey = (lane: number, token: string): string => `${lane}/${token.toLowerCase()}`
