import { createHash } from 'node:crypto'
import { encodeFunctionData } from 'viem'
import { tariffAbi } from '../../../l1/abi/tariff.ts'
import type { L1Client } from '../../../l1/client.ts'
import type { Contracts } from '../../../l1/contracts.ts'
import type { TxManager } from '../../../l1/txManager/manager.ts'
import type { TxRequest } from '../../../l1/txManager/txRecord.ts'
import { PERIOD_SECONDS } from '../../../protocol/limits.ts'
import { BackfeedError, describeError, isBackfeedError } from '../../../runtime/errors.ts'
import type { Logger } from '../../../runtime/log.ts'
import type { SourceProblem } from '../../sourceStatus.ts'
import { MAX_PERIODS_A_TRANSACTION } from '../limits.ts'
import type { GridPicture } from '../model/gridEvent.ts'
import { type PeriodVerdict, verdictOf } from '../model/zonePrices.ts'
import type { PublisherConfig, ZoneConfig } from './config.ts'
import { type MissedPeriod, PriceBook, type PriceFindings } from './priceBook.ts'
import { type PriceRun, runsOf } from './priceRuns.ts'
import type { PublisherMetrics } from './publisherMetrics.ts'
import { readPrices, readPublisher } from './tariffReader.ts'

export interface ZonePublisherDeps {
  readonly client: L1Client
  readonly contracts: Pick<Contracts, 'tariff' | 'registry'>
  readonly sender: Pick<TxManager, 'send' | 'address'>
  readonly pictures: () => ReadonlyMap<string, GridPicture>
  readonly log: Logger
  readonly metrics: PublisherMetrics
  readonly now: () => number
}

/** How a look ended. `writing`: look again when the writes have settled. */
export type LookOutcome = 'idle' | 'writing' | 'failed'

/**
 * Brings one zone's prices on L1 to what the sources say. It keeps no list of what was sent: every look compares L1 with the
 * sources and writes the difference, so that a crash, a reorganisation or somebody else's write is mended by looking again. A transaction's
 * id tells what is there and what shall be; sending an id again sends nothing new (`TxManager.send`), so what was under way at a crash
 * is found again and not sent twice.
 */
export class ZonePublisher {
  readonly zone: number
  readonly #config: PublisherConfig
  readonly #rules: ZoneConfig
  readonly #deps: ZonePublisherDeps
  readonly #log: Logger
  readonly #label: { zone: string }
  readonly #book: PriceBook
  /** How often a write with this id came to an end without L1 saying what it should: the next one needs another id. */
  readonly #turns = new Map<string, number>()
  #writing: Promise<boolean> | undefined
  #findings: PriceFindings | undefined
  #failure: SourceProblem | undefined
  #told = { late: 0, missing: 0 }
  #written = 0
  #setUntil: number | undefined

  constructor(config: PublisherConfig, rules: ZoneConfig, deps: ZonePublisherDeps) {
    this.zone = rules.zone
    this.#config = config
    this.#rules = rules
    this.#deps = deps
    this.#label = { zone: String(rules.zone) }
    this.#log = deps.log.child({ stage: 'tariff', zone: rules.zone })
    this.#book = new PriceBook({ leadSeconds: config.leadMinutes * 60, graceSeconds: config.graceSeconds })
  }

  /** @throws BackfeedError NOT_PUBLISHER, or L1_UNREACHABLE and the like. */
  async checkRole(): Promise<void> {
    const { client, contracts, sender } = this.#deps
    const publisher = await readPublisher(client, contracts.registry, this.zone)
    if (publisher.toLowerCase() === sender.address.toLowerCase()) return
    throw new BackfeedError(
      'NOT_PUBLISHER',
      `zone ${this.zone} takes prices from ${publisher}, not ${sender.address}`,
      {
        details: { zone: this.zone, publisher, account: sender.address },
      },
    )
  }

  /** One comparison. Writes go on after it returned; `settled` tells their end. */
  async look(): Promise<LookOutcome> {
    const { client, contracts, metrics, now } = this.#deps
    const writingBefore = this.#writing
    try {
      const beganSeconds = now() / 1000
      const first = PriceBook.firstLooked(beganSeconds)
      const last = Math.floor((beganSeconds + this.#config.horizonHours * 3600) / PERIOD_SECONDS)
      const onL1 = await readPrices(client, contracts.tariff, { zone: this.zone, first, last })
      // L1 may have taken its time: a period that froze meanwhile is not to be written with what the sources say by now.
      const nowSeconds = now() / 1000
      const verdicts = this.#verdicts(first, last)
      const findings = this.#book.look(nowSeconds, verdicts, onL1)
      this.#findings = findings
      this.#setUntil = lastPriced(onL1)
      this.#report(findings)
      metrics.looked.set(this.#label, nowSeconds)
      // What was read while a write was under way may be from before it: deciding on it would write the same again.
      if (this.#writing !== undefined || writingBefore !== undefined) return 'writing'
      if (findings.toWrite.size === 0) {
        this.#failure = undefined
        return 'idle'
      }
      await this.checkRole()
      this.#write(this.#runs(findings.toWrite, nowSeconds), onL1)
      return 'writing'
    } catch (error) {
      this.#fail(error)
      return 'failed'
    }
  }

  /** Resolves when the writes that the last look began are mined or given up; true when L1 took all of them. */
  async settled(): Promise<boolean> {
    return (await this.#writing) ?? true
  }

  problems(): SourceProblem[] {
    const { late = [], missing = [], tooHigh = [] } = this.#findings ?? {}
    const problems: SourceProblem[] = this.#failure === undefined ? [] : [this.#failure]
    if (late.length > 0) problems.push({ code: 'PRICE_LATE', message: `${this.#text(late)} not on L1 yet` })
    const missed = this.#frozenMisses()
    if (missed.length > 0) {
      const periods = missed.map(({ period }) => period)
      problems.push({ code: 'PRICE_LATE', message: `${this.#text(periods)} frozen with another price` })
    }
    if (missing.length > 0) problems.push({ code: 'PRICE_MISSING', message: `no source prices ${this.#text(missing)}` })
    if (tooHigh.length > 0)
      problems.push({ code: 'PRICE_OUT_OF_RANGE', message: `${this.#text(tooHigh)} too dear for L1` })
    return problems
  }

  /** Nothing gets through, or something due was missed by us and still runs or is to come. */
  get isDown(): boolean {
    return this.#failure !== undefined || this.#frozenMisses().some(({ wasInTime }) => wasInTime)
  }

  figures(): Record<string, number | string> {
    const key = `zone ${this.zone}`
    return {
      [`${key} priced until`]:
        this.#setUntil === undefined ? 'nothing' : isoTime((this.#setUntil + 1) * PERIOD_SECONDS),
      [`${key} waiting`]: this.#findings?.toWrite.size ?? 0,
      [`${key} written`]: this.#written,
    }
  }

  #verdicts(first: number, last: number): Map<number, PeriodVerdict> {
    const pictures = this.#deps.pictures()
    const verdicts = new Map<number, PeriodVerdict>()
    for (let period = first; period <= last; period++) verdicts.set(period, verdictOf(this.#rules, pictures, period))
    return verdicts
  }

  #runs(toWrite: ReadonlyMap<number, number>, nowSeconds: number): PriceRun[] {
    const splitAt = PriceBook.firstOpen(nowSeconds + this.#config.freezeMarginSeconds)
    return runsOf(toWrite, { splitAt, maxPeriods: MAX_PERIODS_A_TRANSACTION })
  }

  #write(runs: readonly PriceRun[], onL1: ReadonlyMap<number, number>): void {
    const writes = runs.map((run) => this.#writeRun(run, onL1))
    this.#writing = Promise.all(writes).then((results) => {
      this.#writing = undefined
      const hasAll = results.every((isWritten) => isWritten)
      if (hasAll) this.#failure = undefined
      return hasAll
    })
  }

  async #writeRun(run: PriceRun, onL1: ReadonlyMap<number, number>): Promise<boolean> {
    const { zone } = this
    const name = idOf(zone, run, onL1)
    const turn = this.#turns.get(name) ?? 0
    const request: TxRequest = {
      kind: 'plain',
      id: `${name}/${turn}`,
      label: 'setPrices',
      to: this.#deps.contracts.tariff,
      data: encodeFunctionData({
        abi: tariffAbi,
        functionName: 'setPrices',
        args: [zone, run.firstPeriod, run.nano],
      }),
    }
    const fields = {
      firstPeriod: run.firstPeriod,
      periods: run.nano.length,
      from: isoTime(run.firstPeriod * PERIOD_SECONDS),
    }
    try {
      const receipt = await this.#deps.sender.send(request)
      this.#countTurn(name, turn)
      this.#written += run.nano.length
      this.#deps.metrics.published.inc(this.#label, run.nano.length)
      this.#log.info({ ...fields, tx: receipt.transactionHash }, `prices of ${run.nano.length} periods are on L1`)
      return true
    } catch (error) {
      // What may still come keeps its id; what came to an end gets another one.
      if (!isBackfeedError(error) || !error.retryable) this.#countTurn(name, turn)
      this.#fail(error, fields)
      return false
    }
  }

  #countTurn(name: string, turn: number): void {
    this.#turns.set(name, turn + 1)
    if (this.#turns.size <= MAX_TURNS) return
    const oldest = this.#turns.keys().next()
    if (oldest.done !== true) this.#turns.delete(oldest.value)
  }

  #fail(error: unknown, fields: Record<string, unknown> = {}): void {
    const code = isBackfeedError(error) ? error.code : 'TARIFF_PUBLISH_FAILED'
    // A manager that stops with the service is no trouble.
    if (code === 'TX_MANAGER_STOPPED') return
    const message = describeError(error)
    if (this.#failure?.message !== message)
      this.#log.error({ err: error, code, ...fields }, `publishing prices: ${message}`)
    this.#failure = { code, message }
    this.#deps.metrics.failed.inc({ ...this.#label, code })
  }

  #report(findings: PriceFindings): void {
    const { metrics } = this.#deps
    const { late, missing, missed, toWrite } = findings
    metrics.waiting.set(this.#label, toWrite.size)
    metrics.late.set(this.#label, late.length)
    metrics.missing.set(this.#label, missing.length)
    if (late.length > this.#told.late) {
      this.#log.error({ code: 'PRICE_LATE', periods: late }, `PRICE_LATE: ${this.#text(late)} not on L1 yet`)
    }
    if (missing.length > this.#told.missing) {
      this.#log.error(
        { code: 'PRICE_MISSING', periods: missing },
        `PRICE_MISSING: no source prices ${this.#text(missing)}`,
      )
    }
    this.#told = { late: late.length, missing: missing.length }
    for (const miss of missed) this.#reportMissed(miss)
  }

  #reportMissed(miss: MissedPeriod): void {
    const why = miss.wasInTime ? 'late' : 'unannounced'
    this.#deps.metrics.missed.inc({ ...this.#label, why })
    const told = miss.wasInTime ? 'it was known in time' : 'it became known after L1 froze it'
    this.#log.error(
      { code: 'PRICE_LATE', ...miss, from: isoTime(miss.period * PERIOD_SECONDS) },
      `PRICE_LATE: period ${miss.period} is frozen at ${miss.onL1Nano} instead of ${miss.wantedNano}; ${told}`,
    )
  }

  /** Misses of periods that are not over. */
  #frozenMisses(): MissedPeriod[] {
    const nowSeconds = this.#deps.now() / 1000
    return this.#book.missed.filter(({ period }) => (period + 1) * PERIOD_SECONDS > nowSeconds)
  }

  #text(periods: readonly number[]): string {
    const [first] = periods
    if (first === undefined) return 'no period'
    const from = isoTime(first * PERIOD_SECONDS)
    const count = periods.length === 1 ? '1 period' : `${periods.length} periods`
    return `zone ${this.zone}: ${count} from ${first} (${from})`
  }
}

/** Of ids whose writes ended otherwise than hoped: each is a price that was changed back and forth. */
const MAX_TURNS = 4_096

/** Names the change: what L1 says now and what it shall say. */
function idOf(zone: number, run: PriceRun, onL1: ReadonlyMap<number, number>): string {
  const changes = run.nano.map((nano, i) => `${onL1.get(run.firstPeriod + i)}>${nano}`).join(',')
  const digest = createHash('sha256').update(changes).digest('hex').slice(0, 16)
  return `prices/${zone}/${run.firstPeriod}/${run.nano.length}/${digest}`
}

function lastPriced(onL1: ReadonlyMap<number, number>): number | undefined {
  let last: number | undefined
  for (const [period, nano] of onL1) if (nano > 0 && (last === undefined || period > last)) last = period
  return last
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString()
}
