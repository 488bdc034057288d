import { decodeRecord, recordEvse } from '../../protocol/record.ts'
import { BackfeedError, describeError, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component, ComponentContext } from '../../runtime/service.ts'
import type { AnsweredRow, Outbox, RowQueue } from '../outbox/outbox.ts'
import type { EdgeStore } from '../store/edgeStore.ts'
import { type CutRules, cutRulesOf, type MeteredEvse, type MeteringConfig } from './config.ts'
import { flagFuture, withoutFuture } from './futureReadings.ts'
import type { Draft, WithheldDraft } from './draft.ts'
import { checkEvent } from './eventCheck.ts'
import { EvidenceKeeper } from './evidence.ts'
import { EvseMeter } from './evseMeter.ts'
import { acceptRegister } from './foldEvent.ts'
import type { MeterEvent, MeterEventSink, TakeResult } from './meterEvent.ts'
import { DRAFTS, evseOfKey, HELD, STATES, WITHHELD, withheldPrefix } from './meterKeys.ts'
import { type MeterMetrics, meterMetrics } from './meterMetrics.ts'
import { FRESH_METER, type MeterState, type Transaction } from './meterState.ts'
import { type EvseMeterStatus, meterStatus } from './meterStatus.ts'
import { decodeValue, forgetSeen, loadByEvse, loadMeter, NOTHING_SIGNED, type SignedState } from './meterStorage.ts'
import { SigningQueue, type SigningPort } from './signingQueue.ts'
import { type TransactionAccounts, transactionsUnderWay } from './transactionAccounts.ts'
import { parseWithheldId, type WithheldEntry, withheldEntry } from './withheld.ts'

const TICK_MS = 1_000
/** Between looks for transactions to forget and evidence to drop. */
const TIDY_TICKS = 60

export interface MeterBookDeps {
  readonly config: MeteringConfig
  /** Asked anew for every message, so that it may follow L1. */
  readonly evse: (name: string) => MeteredEvse | undefined
  /** Whose records a queue of the outbox holds; undefined: nobody's that is metered here. */
  readonly nameOf: (queue: RowQueue) => string | undefined
  /** Capacity of a contract's battery, watt-hours; undefined: no such contract is known. */
  readonly capacityWh: (lane: number, contract: number) => number | undefined
  readonly store: EdgeStore
  readonly outbox: Outbox
  readonly accounts?: TransactionAccounts
  /** The record's row: record 24 ‖ signature 64. @throws BackfeedError; tried again, in order, until it succeeds */
  readonly signRecord: SigningPort['signRecord']
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly now: () => number
  readonly monotonicMs: () => number
  /** Whether the wall clock can be signed by. Default: always. */
  readonly isClockTrusted?: () => boolean
  readonly log: Logger
  readonly metrics: Metrics
}

/** One EVSE: its meter, and its records on their way to the outbox. */
interface Page {
  readonly meter: EvseMeter
  readonly queue: SigningQueue
  withheldWh: number
}

interface LoadedPage {
  readonly state: MeterState
  readonly signed: SignedState
  readonly held: readonly MeterEvent[]
  readonly drafts: Draft[]
  readonly withheld: readonly WithheldDraft[]
}

const freshPage = (): LoadedPage => ({
  state: FRESH_METER,
  signed: NOTHING_SIGNED,
  held: [],
  drafts: [],
  withheld: [],
})

/** Reads where every meter stood: a start takes time by what waits, not by what was. @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
export async function openMeterBook(deps: MeterBookDeps): Promise<MeterBook> {
  const book = new MeterBook(deps)
  await book.load()
  return book
}

/**
 * Turns meter events into signed records in the outbox. What it was given is on disk before `take` resolves; from there on every watt-hour
 * of a register is in exactly one place: open, in a draft, signed, or put aside under a code.
 */
export class MeterBook implements MeterEventSink, Component {
  readonly name = 'metering'
  readonly #deps: MeterBookDeps
  readonly #log: Logger
  readonly #metrics: MeterMetrics
  readonly #evidence: EvidenceKeeper
  readonly #pages = new Map<string, Page>()
  readonly #rules = new WeakMap<MeteredEvse, CutRules>()
  readonly #port: Omit<SigningPort, 'onWithheld'>
  #timer: NodeJS.Timeout | undefined
  #ticks = 0
  #ticking: Promise<void> | undefined
  #stopListening = (): void => {}

  constructor(deps: MeterBookDeps) {
    this.#deps = deps
    this.#log = deps.log.child({ stage: 'metering' })
    this.#metrics = meterMetrics(deps.metrics)
    this.#evidence = new EvidenceKeeper(deps.store, deps.config.evidenceMaxBytes)
    const { store, outbox, signRecord, capacityWh, now, monotonicMs } = deps
    this.#port = {
      store,
      outbox,
      accounts: deps.accounts,
      signRecord,
      capacityWh,
      now,
      monotonicMs,
      isClockTrusted: deps.isClockTrusted ?? (() => true),
      onSigned: ({ energyWh }) => {
        this.#metrics.signedRecords.inc()
        this.#metrics.signedWh.inc(energyWh)
      },
      onFailed: (evse, error) => {
        this.#metrics.signFailures.inc({ code: error instanceof BackfeedError ? error.code : 'SIGNING_FAILED' })
        this.#log.warn({ evse, err: error }, `${evse}: a record waits: ${describeError(error)}`)
      },
    }
  }

  async load(): Promise<void> {
    const { store } = this.#deps
    const held = await loadByEvse<MeterEvent>(store, HELD)
    const drafts = await loadByEvse<Draft>(store, DRAFTS)
    const withheld = await loadByEvse<WithheldDraft>(store, WITHHELD)
    await this.#evidence.load()
    const names = new Set<string>()
    for await (const [key] of store.entries(STATES)) names.add(evseOfKey(STATES, key))
    for (const evse of names) {
      const of = { held: held.get(evse) ?? [], drafts: drafts.get(evse) ?? [], withheld: withheld.get(evse) ?? [] }
      this.#pages.set(evse, this.#page(evse, { ...(await loadMeter(store, evse)), ...of }))
    }
    this.#stopListening = this.#deps.outbox.onAnswered((row) => this.#answered(row))
  }

  start({ signal }: Pick<ComponentContext, 'signal'>): void {
    for (const { queue } of this.#pages.values()) void queue.run()
    this.#timer = setInterval(() => void this.tick(), TICK_MS)
    signal.addEventListener('abort', () => clearInterval(this.#timer), { once: true })
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#stopListening()
    await this.#ticking
    await this.settled()
  }

  /** Resolves when every message and every record that can go on has gone on. */
  async settled(): Promise<void> {
    for (const { meter, queue } of this.#pages.values()) {
      await meter.settled()
      await queue.run()
    }
  }

  /**
   * @throws BackfeedError EVSE_UNKNOWN: not in the configuration, or not on L1 yet; METER_EVENT_INVALID: no such reading can exist;
   * METERING_FULL, STORE_FAILED (both retryable): not taken, the device must keep it
   */
  async take(event: MeterEvent): Promise<TakeResult> {
    const endTimer = this.#metrics.takeSeconds.startTimer()
    try {
      checkEvent(event)
      this.#rulesOf(event.evse)
      const { now, isClockTrusted = () => true } = this.#deps
      const fit = isClockTrusted() ? withoutFuture(event, now()) : event
      const page = this.#pageOf(event.evse)
      if (fit !== event) {
        await page.meter.step((cutter) => flagFuture(cutter, event))
        this.#log.warn({ evse: event.evse, transaction: event.transaction }, `${event.evse}: its clock runs ahead`)
      }
      if (fit === undefined) return 'TAKEN'
      const result = await page.meter.take(fit)
      this.#metrics.events.inc({ result: result === 'TAKEN' ? 'taken' : 'repeated' })
      return result
    } catch (error) {
      this.#metrics.events.inc({ result: 'refused' })
      throw error
    } finally {
      endTimer()
    }
  }

  /** A temperature from another source than meter events (Modbus, MQTT telemetry). Never waits; of an unknown EVSE it is dropped. */
  noteTemperature(evse: string, atMs: number, tempC: number): void {
    if (!Number.isFinite(tempC) || this.#deps.evse(evse) === undefined) return
    this.#pageOf(evse).meter.noteTemperature({ atMs, tempC })
  }

  /** Looks at what time alone brings about; called every second once started. */
  tick(): Promise<void> {
    this.#ticking ??= this.#tick().finally(() => {
      this.#ticking = undefined
    })
    return this.#ticking
  }

  status(evse: string): EvseMeterStatus | undefined {
    const page = this.#pages.get(evse)
    return page && meterStatus(evse, page.meter, page.queue, page.withheldWh)
  }

  statuses(): EvseMeterStatus[] {
    return [...this.#pages.keys()].map((evse) => this.status(evse)!)
  }

  /** Energy of a transaction that is neither signed nor put aside yet. */
  pending(evse: string, transaction: string): readonly Draft[] {
    return this.#pages.get(evse)?.queue.drafts.filter((draft) => draft.transaction === transaction) ?? []
  }

  underWay(): { readonly evse: string; readonly transaction: Transaction }[] {
    return [...this.#pages].flatMap(([evse, { meter, queue }]) =>
      transactionsUnderWay(meter.state, queue.drafts).map((transaction) => ({ evse, transaction })),
    )
  }

  /** Energy that is put aside, gaps that can still be released first. @throws BackfeedError STORE_FAILED */
  async *withheld(evse: string): AsyncIterable<WithheldEntry> {
    const page = this.#pages.get(evse)
    if (page === undefined) return
    for (const draft of page.queue.drafts) {
      if (draft.kind === 'WITHHELD') yield withheldEntry(evse, draft, page.queue.isReleasable(draft))
    }
    const { store } = this.#deps
    for await (const [key, bytes] of store.entries(withheldPrefix(evse))) {
      yield withheldEntry(evse, decodeValue<WithheldDraft>(key, bytes), false)
    }
  }

  /** The operator's choice for a gap: its energy is spread evenly over its time and signed. @throws BackfeedError NOT_RELEASABLE, STORE_FAILED */
  async releaseGap(evse: string, id: string): Promise<void> {
    await this.#known(evse).queue.releaseGap(...parseWithheldId(id))
    this.#log.info({ evse, id }, `${evse}: the gap ${id} was released to be spread evenly`)
  }

  /** Takes what is dealt with outside of Backfeed off the list of what is put aside. @throws BackfeedError NOT_WITHHELD, STORE_FAILED */
  async dismiss(evse: string, id: string): Promise<void> {
    const page = this.#known(evse)
    const energyWh = await page.queue.dismiss(...parseWithheldId(id))
    page.withheldWh -= energyWh
    this.#log.info({ evse, id, energyWh }, `${evse}: ${energyWh} Wh put aside were dismissed`)
  }

  /** The operator's word that the meter was changed or reset: reading goes on where its new register began. @throws BackfeedError STORE_FAILED */
  async acceptRegister(evse: string): Promise<void> {
    await this.#known(evse).meter.step(acceptRegister)
    this.#log.info({ evse }, `${evse}: its register was accepted as it is now`)
  }

  /** Signed meter values of a transaction, in the order of their messages. */
  evidence(evse: string, transaction: string): AsyncIterable<Uint8Array> {
    return this.#evidence.of(evse, transaction)
  }

  /** @throws BackfeedError EVSE_UNKNOWN */
  #known(evse: string): Page {
    const page = this.#pages.get(evse)
    if (page === undefined) throw new BackfeedError('EVSE_UNKNOWN', `no meter of ${evse} is known`)
    return page
  }

  #pageOf(evse: string): Page {
    let page = this.#pages.get(evse)
    if (page === undefined) {
      page = this.#page(evse, undefined)
      this.#pages.set(evse, page)
    }
    return page
  }

  #page(evse: string, loaded: LoadedPage | undefined): Page {
    const { store, monotonicMs } = this.#deps
    const { state, signed, held, drafts, withheld } = loaded ?? freshPage()
    const meter = new EvseMeter(
      {
        name: evse,
        store,
        evidence: this.#evidence,
        accounts: this.#deps.accounts,
        rules: () => this.#rulesOf(evse),
        monotonicMs,
        drafts,
        onStep: (before, after, added) => this.#stepped(evse, { before, after, added }),
      },
      { state, held },
    )
    const signedEvse = () => {
      const known = this.#deps.evse(evse)
      return known && { name: evse, lane: known.lane, rules: this.#rulesOf(evse) }
    }
    const onWithheld = (draft: WithheldDraft): void => this.#withheld(evse, draft)
    const queue = new SigningQueue({ ...this.#port, onWithheld }, signedEvse, (id) => meter.transaction(id), {
      drafts,
      signed,
      lastWithheld: withheld.at(-1),
    })
    return { meter, queue, withheldWh: withheld.reduce((sum, { energyWh }) => sum + energyWh, 0) }
  }

  /** @throws BackfeedError EVSE_UNKNOWN */
  #rulesOf(name: string): CutRules {
    const evse = this.#deps.evse(name)
    if (evse === undefined) {
      const options = { retryable: true, details: { evse: name } }
      throw new BackfeedError('EVSE_UNKNOWN', `no EVSE ${name} in the configuration, or not on L1 yet`, options)
    }
    let rules = this.#rules.get(evse)
    if (rules === undefined) {
      rules = cutRulesOf(this.#deps.config, evse)
      this.#rules.set(evse, rules)
    }
    return rules
  }

  #stepped(evse: string, step: { before: MeterState; after: MeterState; added: readonly Draft[] }): void {
    const { before, after } = step
    for (const problem of after.problems) {
      if (before.problems.includes(problem)) continue
      const { code, message, transaction } = problem
      this.#log.warn({ evse, transaction, code }, `${evse}: ${message}`)
    }
    const stillKnown = new Set([...after.past, after.transaction].map((transaction) => transaction?.id))
    for (const { id } of before.past) {
      if (!stillKnown.has(id)) this.#background(evse, forgetSeen(this.#deps.store, evse, id))
    }
    if (before.past !== after.past) {
      const ended = after.past.filter((transaction) => !before.past.includes(transaction))
      for (const { id } of ended) this.#background(evse, this.#evidence.ended(evse, id, after.cutInterval))
    }
    // Also without a new draft: a gauge or a contract that was waited for may have come.
    void this.#pages.get(evse)?.queue.run()
  }

  #withheld(evse: string, draft: WithheldDraft): void {
    const { code, energyWh, transaction, message } = draft
    const page = this.#pages.get(evse)
    if (page !== undefined) page.withheldWh += energyWh
    this.#metrics.withheldWh.inc({ code }, energyWh)
    this.#log.warn({ evse, transaction, code, energyWh }, `${evse}: ${energyWh} Wh put aside: ${message}`)
  }

  #answered({ lane, row }: AnsweredRow): void {
    const evse = this.#deps.nameOf({ lane, evse: recordEvse(row, 0) })
    if (evse === undefined) return
    const { start, intervals } = decodeRecord(row)
    this.#background(evse, this.#evidence.delivered(evse, start + intervals))
  }

  async #tick(): Promise<void> {
    let [waiting, held] = [0, 0]
    for (const [evse, { meter, queue }] of this.#pages) {
      waiting += queue.drafts.length
      held += meter.held.length
      if (queue.drafts.length > 0) void queue.run()
      if (this.#deps.evse(evse) === undefined) continue
      await meter.tick().catch((error) => this.#told(evse, error))
    }
    this.#metrics.waitingDrafts.set(waiting)
    this.#metrics.heldEvents.set(held)
    this.#metrics.evidenceBytes.set(this.#evidence.bytes)
    if (this.#ticks++ % TIDY_TICKS === 0) await this.#tidy()
  }

  /** Forgets transactions whose messages no device repeats any more, and evidence beyond its room. */
  async #tidy(): Promise<void> {
    for (const [evse, { meter, queue }] of this.#pages) {
      const known = this.#deps.evse(evse)
      if (known === undefined) continue
      const beforeMs = this.#deps.now() - this.#rulesOf(evse).forgetSeconds * 1_000
      const needed = new Set(queue.drafts.map(({ transaction }) => transaction))
      const old = meter.state.past.filter(({ id, lastEventMs }) => lastEventMs < beforeMs && !needed.has(id))
      const problems = meter.state.problems.filter(({ lastMs }) => lastMs >= beforeMs)
      if (old.length === 0 && problems.length === meter.state.problems.length) continue
      const forget = meter.step(({ state }) => {
        state.problems = state.problems.filter(({ lastMs }) => lastMs >= beforeMs)
        state.past = state.past.filter((transaction) => !old.some(({ id }) => id === transaction.id))
      })
      await forget.catch((error) => this.#told(evse, error))
    }
    const undelivered = await this.#evidence.trim().catch((error) => this.#told('', error))
    if (undelivered)
      this.#log.warn({ transactions: undelivered }, 'EVIDENCE_DROPPED: signed values without a receipt made room')
  }

  #background(evse: string, done: Promise<void>): void {
    done.catch((error) => this.#told(evse, error))
  }

  #told(evse: string, error: unknown): undefined {
    const level = isBackfeedError(error, 'DATA_CORRUPTED') ? 'error' : 'warn'
    this.#log[level]({ evse, err: error }, `metering: ${describeError(error)}`)
  }
}
