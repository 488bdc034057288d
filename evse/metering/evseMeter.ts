import { BackfeedError } from '../../runtime/errors.ts'
import type { EdgeStore } from '../store/edgeStore.ts'
import type { CutRules } from './config.ts'
import { Cutter } from './cutter.ts'
import type { Draft } from './draft.ts'
import type { HeldBecause } from './eventOrder.ts'
import type { EvidenceKeeper } from './evidence.ts'
import { idleTransaction } from './foldEvent.ts'
import type { MeterEvent, TakeResult } from './meterEvent.ts'
import { identityText, seenKey } from './meterKeys.ts'
import { findTransaction, type MeterState, type Transaction } from './meterState.ts'
import { draftOps, eventOps, stateOps } from './meterStorage.ts'
import { intervalFloor } from './recordSize.ts'
import { type Taken, takeEvents } from './takeEvents.ts'
import { endedBy, type TransactionAccounts } from './transactionAccounts.ts'
import { noteTemperature } from './temperatures.ts'

/** Messages of one EVSE that wait to be written. A station sends its next one after the answer; more is a source gone wild. */
const MAX_INBOX = 1_024
/** Messages written together. */
const MAX_GROUP = 256
/** Temperatures that wait for the next write: readings every 100 ms for a minute. The hotter half stays. */
const MAX_WAITING_TEMPERATURES = 600
/** Drafts that cannot be signed: a month of quarter-hours three times over. Beyond, the device keeps its messages. */
export const MAX_DRAFTS = 10_000

/** While messages come in their turn, the rest of the device's queue is given so much time after each, milliseconds. */
const DRAINING_MS = 60_000

interface Arrival {
  readonly event: MeterEvent
  readonly resolve: (result: TakeResult) => void
  readonly reject: (error: unknown) => void
}

export interface EvseMeterPort {
  readonly name: string
  readonly store: EdgeStore
  readonly evidence: EvidenceKeeper
  readonly accounts: TransactionAccounts | undefined
  /** @throws BackfeedError EVSE_UNKNOWN */
  readonly rules: () => CutRules
  readonly monotonicMs: () => number
  /** Where finished drafts go once they are on disk. */
  readonly drafts: Draft[]
  /** What a durable step brought. */
  readonly onStep: (before: MeterState, after: MeterState, drafts: readonly Draft[]) => void
}

/** One EVSE's messages, one step after another: each step is decided purely, written as one, and only then true. */
export class EvseMeter {
  #state: MeterState
  #held: readonly MeterEvent[]
  #heldBecause: HeldBecause | undefined
  /** Since when each of them waits, on the monotonic clock: anew after a restart, since a device could not send meanwhile. */
  readonly #waitingSinceMs = new WeakMap<MeterEvent, number>()
  /** When a message was last folded in its turn: what is missing may be on its way while the device's queue drains. */
  #lastInTurnMs: number
  #lastHeardMs: number
  readonly #inbox: Arrival[] = []
  #temperatures: { atMs: number; tempC: number }[] = []
  #steps: Promise<unknown> = Promise.resolve()
  #isTaking = false
  #isNoting = false
  readonly #port: EvseMeterPort

  constructor(port: EvseMeterPort, loaded: { state: MeterState; held: readonly MeterEvent[] }) {
    this.#port = port
    this.#state = loaded.state
    this.#held = loaded.held
    this.#lastInTurnMs = port.monotonicMs()
    for (const event of loaded.held) this.#waitingSinceMs.set(event, port.monotonicMs())
    this.#lastHeardMs = port.monotonicMs()
  }

  get state(): MeterState {
    return this.#state
  }

  get held(): readonly MeterEvent[] {
    return this.#held
  }

  get heldBecause(): HeldBecause | undefined {
    return this.#heldBecause
  }

  transaction(id: string): Transaction | undefined {
    return findTransaction(this.#state, id)
  }

  take(event: MeterEvent): Promise<TakeResult> {
    if (this.#inbox.length >= MAX_INBOX || this.#port.drafts.length >= MAX_DRAFTS) {
      const what = this.#inbox.length >= MAX_INBOX ? 'messages wait to be written' : 'records wait to be signed'
      const options = { retryable: true, details: { evse: event.evse } }
      return Promise.reject(
        new BackfeedError('METERING_FULL', `too many ${what}: the device must keep this one`, options),
      )
    }
    this.#lastHeardMs = this.#port.monotonicMs()
    return new Promise((resolve, reject) => {
      this.#inbox.push({ event, resolve, reject })
      if (this.#isTaking) return
      this.#isTaking = true
      void this.#inTurn(() => this.#takeAll())
    })
  }

  /** Never waits and never fails; on disk with the next message, or at once when a record would show it. */
  noteTemperature(reading: { atMs: number; tempC: number }): void {
    const isIdle = this.#state.transaction === undefined && this.#held.length === 0 && !this.#isTaking
    if (isIdle)
      this.#temperatures = [reading] // what the next span begins with
    else this.#temperatures.push(reading)
    if (this.#temperatures.length > MAX_WAITING_TEMPERATURES) {
      const hottestFirst = this.#temperatures.toSorted((a, b) => b.tempC - a.tempC)
      this.#temperatures = hottestFirst.slice(0, MAX_WAITING_TEMPERATURES / 2)
    }
    if (isIdle || this.#isTaking || this.#isNoting || !this.#isHotter(reading)) return
    this.#isNoting = true
    // A failure is the store's to tell; the next message brings the reading again.
    void this.step(() => {})
      .catch(() => {})
      .finally(() => {
        this.#isNoting = false
      })
  }

  /** Whether a record would be hotter for it than for what is on disk. */
  #isHotter({ atMs, tempC }: { atMs: number; tempC: number }): boolean {
    const { spanStart, temperatures } = this.#state
    const interval = intervalFloor(atMs)
    const from = interval - (interval % this.#port.rules().recordIntervals)
    if (interval < spanStart) return false
    const bucket = temperatures.buckets.find((other) => other.from === from)
    return bucket === undefined || Math.ceil(tempC) > Math.ceil(bucket.hottestC)
  }

  /** What time alone brings about: a missing message given up, a transaction called idle. Resolves when it is on disk. */
  async tick(): Promise<void> {
    if (this.#isTaking) return
    const { gapWaitSeconds, transactionIdleSeconds } = this.#port.rules()
    const nowMs = this.#port.monotonicMs()
    if (this.#held.length > 0) {
      const waitMs = gapWaitSeconds * 1_000
      if (nowMs - this.#lastInTurnMs < Math.min(waitMs, DRAINING_MS)) return
      const isOverdue = (event: MeterEvent): boolean => nowMs - (this.#waitingSinceMs.get(event) ?? nowMs) >= waitMs
      if (this.#held.some(isOverdue)) await this.#inTurn(() => this.#step([], isOverdue))
      return
    }
    const isSilent = nowMs - this.#lastHeardMs >= transactionIdleSeconds * 1_000
    if (this.#state.transaction?.end !== 'OPEN' || !isSilent) return
    await this.step(idleTransaction)
  }

  /** A change of the state that no message brings. @throws BackfeedError STORE_FAILED */
  step(change: (cutter: Cutter) => void): Promise<void> {
    return this.#inTurn(() => this.#step([], () => false, change))
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#steps
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#steps.then(run)
    this.#steps = turn.catch(() => {})
    return turn
  }

  async #takeAll(): Promise<void> {
    while (this.#inbox.length > 0) {
      const group = this.#inbox.splice(0, MAX_GROUP)
      try {
        const fresh = await this.#fresh(group)
        const events = group.filter((arrival) => fresh.has(arrival)).map(({ event }) => event)
        if (events.length > 0) await this.#step(events, () => this.#port.rules().gapWaitSeconds === 0)
        for (const arrival of group) arrival.resolve(fresh.has(arrival) ? 'TAKEN' : 'REPEATED')
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#isTaking = false
  }

  /** Those that were not taken before. Asks the disk only about messages from before the newest of their transaction. */
  async #fresh(group: readonly Arrival[]): Promise<ReadonlySet<Arrival>> {
    const fresh = new Set<Arrival>()
    const seen = new Set<string>()
    for (const arrival of group) {
      const { event } = arrival
      const identity = identityText(event)
      if (seen.has(identity)) continue
      const newestMs = Math.max(
        this.transaction(event.transaction)?.lastEventMs ?? -1,
        ...this.#held.filter(({ transaction }) => transaction === event.transaction).map(({ atMs }) => atMs),
      )
      if (event.atMs <= newestMs && (await this.#port.store.get(seenKey(event))) !== undefined) continue
      seen.add(identity)
      fresh.add(arrival)
    }
    return fresh
  }

  async #step(
    events: readonly MeterEvent[],
    mayGiveUp: (waiting: MeterEvent) => boolean,
    change?: (cutter: Cutter) => void,
  ): Promise<void> {
    const { name, store, evidence, accounts } = this.#port
    const rules = this.#port.rules()
    const temperatures = [...this.#temperatures]
    const before = this.#state
    let state = before
    for (const reading of temperatures) {
      if (intervalFloor(reading.atMs) < state.spanStart) continue
      state = { ...state, temperatures: noteTemperature(state.temperatures, reading, rules.recordIntervals) }
    }
    const changed: Draft[] = []
    if (change !== undefined) {
      const cutter = new Cutter(state, rules)
      change(cutter)
      state = cutter.state
      changed.push(...cutter.drafts)
    }
    const light = events.map(({ evidence: _, ...event }) => event)
    const taken: Taken = takeEvents({ state, held: this.#held }, light, rules, mayGiveUp)
    const drafts = [...changed, ...taken.drafts]
    const kept = evidence.prepare(events)
    const ended = accounts === undefined ? [] : endedBy(before, taken.state)
    const noted = ended.length === 0 ? undefined : accounts?.ended(name, ended)
    await store.write([
      ...stateOps(name, before, taken.state),
      ...eventOps(light, this.#held, taken.held),
      ...draftOps(name, drafts),
      ...kept.ops,
      ...(noted?.ops ?? []),
    ])
    kept.done()
    this.#temperatures = this.#temperatures.filter((reading) => !temperatures.includes(reading)) // what came meanwhile stays
    this.#state = taken.state
    for (const event of taken.held) {
      if (!this.#waitingSinceMs.has(event)) this.#waitingSinceMs.set(event, this.#port.monotonicMs())
    }
    if (taken.held.length < this.#held.length + events.length && events.length > 0) {
      this.#lastInTurnMs = this.#port.monotonicMs()
    }
    this.#held = taken.held
    this.#heldBecause = taken.heldBecause
    this.#port.drafts.push(...drafts)
    this.#port.onStep(before, taken.state, drafts)
    noted?.done()
  }
}
