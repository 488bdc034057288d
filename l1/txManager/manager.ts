import type { Abi, Address, TransactionReceipt } from 'viem'
import { BackfeedError, describeError, ExitCode, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { PokableTimer } from '../../runtime/pokableTimer.ts'
import type { Component, ComponentContext } from '../../runtime/service.ts'
import type { L1Account, L1Client } from '../client.ts'
import { type Look, lookAtL1 } from './chainView.ts'
import { type Action, decide, newWatch, type Watch } from './decide.ts'
import { openingFees } from './feeRules.ts'
import { prepareRecord } from './prepare.ts'
import { TxBook } from './txBook.ts'
import { type TxEvent, type TxReporter, txReporter } from './txEvents.ts'
import type { TxPolicy } from './txPolicy.ts'
import { TxOffers } from './txOffers.ts'
import { TxQueue } from './txQueue.ts'
import { currentAttempt, type Inclusion, type TxRecord, type TxRequest } from './txRecord.ts'
import { cancelledError, TxResults } from './txResults.ts'
import { TxSigner } from './txSigner.ts'
import type { TxStore } from './txStore.ts'

export interface TxManagerSettings {
  client: L1Client
  account: L1Account
  store: TxStore
  policy: TxPolicy
  log: Logger
  metrics?: Metrics
  /** Errors of every contract that may revert. */
  abi?: Abi
  /** Called when the balance falls below the alarm level, and not again before it recovered. */
  onLowBalance?: (balanceWei: bigint) => void
  now?: () => number
}

/** L1's own troubles, and a disk without room. */
const PASSING: ReadonlySet<string> = new Set(['L1_UNREACHABLE', 'L1_CALL_FAILED', 'STORE_FAILED'])

/**
 * Owns one L1 account: nobody else may send from it. One nonce stream; every transaction and every fee offer is on disk before it
 * is broadcast; a single loop looks at L1, decides (`decide.ts`) and acts, so that a restart at any moment just looks again.
 */
export class TxManager implements Component {
  readonly name = 'txManager'
  readonly #settings: TxManagerSettings
  readonly #log: Logger
  readonly #reporter: TxReporter
  readonly #now: () => number
  readonly #book: TxBook
  readonly #watches = new Map<string, Watch>()
  readonly #signer: TxSigner
  readonly #results: TxResults
  readonly #offers: TxOffers
  readonly #listeners = new Set<(event: TxEvent) => void>()
  readonly #queue = new TxQueue()
  #cancelRequests = new Set<string>()
  /** What is final needs its blobs no more. */
  readonly #finished = new Set<string>()
  readonly #stopping = new AbortController()
  readonly #timer = new PokableTimer(this.#stopping.signal)
  #running: Promise<void> | undefined
  #isBalanceLow = false
  #trouble: string | undefined

  constructor(settings: TxManagerSettings) {
    this.#settings = settings
    this.#log = settings.log.child({ stage: 'tx', account: settings.account.address })
    this.#reporter = txReporter({
      log: this.#log,
      metrics: settings.metrics,
      lowBalanceWei: settings.policy.lowBalanceWei,
    })
    this.#now = settings.now ?? Date.now
    const { account, store, client } = settings
    this.#book = new TxBook(store)
    this.#signer = new TxSigner({ account, store, chainId: client.chain.id })
    this.#results = new TxResults({ client, address: account.address, abi: settings.abi ?? [], signer: this.#signer })
    this.#offers = new TxOffers({
      client,
      book: this.#book,
      signer: this.#signer,
      log: this.#log,
      now: this.#now,
      emit: (event) => this.#emit(event),
      onRefused: (record, cause) => this.#onRefused(record, cause),
    })
  }

  get address(): Address {
    return this.#settings.account.address
  }

  /** Loads what was under way and goes on with it. */
  async start(context: Pick<ComponentContext, 'fail'>): Promise<void> {
    await this.#book.load()
    for (const record of this.#book.open()) this.#watches.set(record.id, newWatch())
    this.#running = this.#run().catch((error: unknown) => {
      this.#results.rejectAll(error)
      context.fail(error)
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#results.rejectAll(
      new BackfeedError(
        'TX_MANAGER_STOPPED',
        'the transaction manager stopped; what was sent is looked after on restart',
        {
          retryable: true,
        },
      ),
    )
    this.#queue.clear()
  }

  /**
   * Resolves with the receipt once the transaction is in a block (it may still be reorganised out; see `final`). Rejects with
   * L1_REVERTED (in simulation or in a block), L1_REFUSED, TX_CANCELLED, TX_QUEUE_FULL, TX_GAS_OVER_CAP or TX_TOO_LARGE.
   */
  async send(request: TxRequest): Promise<TransactionReceipt> {
    const known = this.#book.get(request.id)
    if (known !== undefined) return await this.#results.of(known, 'mined')
    if (!this.#queue.has(request.id)) {
      if (this.#stopping.signal.aborted || this.#running === undefined) {
        throw new BackfeedError('TX_MANAGER_STOPPED', 'the transaction manager is not running', { retryable: true })
      }
      if (this.#queue.size >= this.#settings.policy.maxQueued) {
        throw new BackfeedError('TX_QUEUE_FULL', `${this.#queue.size} transactions wait already`, { retryable: true })
      }
      this.#queue.add(request)
    }
    const result = this.#results.wait(request.id, 'mined')
    this.poke()
    return await result
  }

  /** Resolves with the receipt once its block is final. Rejects as `send` does, and with TX_UNKNOWN. */
  async final(id: string): Promise<TransactionReceipt> {
    const record = this.#book.get(id)
    if (record !== undefined) return await this.#results.of(record, 'final')
    if (this.#queue.has(id)) return await this.#results.wait(id, 'final')
    throw new BackfeedError('TX_UNKNOWN', `no transaction ${id} is known`)
  }

  /** Tries to replace a transaction by one of the same kind that does nothing. The first of the two that is mined decides. */
  cancel(id: string): void {
    if (this.#queue.remove(id)) {
      this.#results.reject(id, cancelledError(id))
      return
    }
    if (!this.#queue.isAdmitting(id) && this.#book.get(id)?.status.kind !== 'pending') {
      throw new BackfeedError('TX_UNKNOWN', `no pending transaction ${id} is known`)
    }
    this.#cancelRequests.add(id)
    this.poke()
  }

  /** Look at L1 now: for callers that know that a block has come. */
  poke(): void {
    this.#timer.poke()
  }

  on(listener: (event: TxEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  records(): readonly TxRecord[] {
    return this.#book.all()
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      let isBusy = false
      try {
        isBusy = await this.#tick()
        failures = 0
        if (this.#trouble !== undefined) this.#log.info(`going on after ${this.#trouble}`)
        this.#trouble = undefined
      } catch (error) {
        // A fault of ours ends the service; L1's troubles pass, and so does a disk without room. Nothing is sent that could not be written down.
        if (!isBackfeedError(error) || !PASSING.has(error.code)) throw error
        failures++
        if (this.#trouble !== error.code) this.#log.warn({ err: error }, `waiting: ${describeError(error)}`)
        this.#trouble = error.code
      }
      await this.#timer.pause(isBusy ? 0 : this.#settings.policy.pollMs * Math.min(2 ** failures, 8))
    }
  }

  /** One look and everything that follows from it. True: look again at once. */
  async #tick(): Promise<boolean> {
    await this.#tidy()
    await this.#noteCancels()
    const look = await this.#look()
    this.#checkBalance(look.balanceWei)
    let isBusy = false
    for (const record of this.#book.open()) {
      if (this.#stopping.signal.aborted) return false
      const watch = this.#watches.get(record.id) ?? newWatch()
      this.#watches.set(record.id, watch)
      if (look.accountNonce <= record.nonce || look.inclusions.has(currentAttempt(record)?.hash ?? '0x')) {
        watch.nonceTakenAt = undefined
      }
      const action = decide(record, watch, look, this.#settings.policy)
      if (action.kind === 'mined' && look.finalNumber >= action.inclusion.blockNumber) isBusy = true
      await this.#act(record, watch, action, look)
    }
    await this.#admit(look)
    this.#reporter.look({
      balanceWei: look.balanceWei,
      pending: this.#book.pending().length,
      queued: this.#queue.size,
    })
    return isBusy
  }

  async #act(record: TxRecord, watch: Watch, action: Action, look: Look): Promise<void> {
    switch (action.kind) {
      case 'wait':
        return
      case 'mined':
        return await this.#onMined(record, action.inclusion, look)
      case 'final':
        return await this.#onFinal(record, action.inclusion, look)
      case 'reorged': {
        const pending = await this.#book.save({ ...record, status: { kind: 'pending' } })
        this.#emit({ kind: 'reorged', record: pending })
        const attempt = currentAttempt(pending)
        if (attempt !== undefined) await this.#offers.repeat(pending, watch, attempt)
        return
      }
      case 'nonceTaken':
        watch.nonceTakenAt = look.headNumber
        return
      case 'reassign': {
        watch.nonceTakenAt = undefined
        const moved = await this.#book.save({ ...record, nonce: this.#book.nextNonce(look.accountNonce) })
        this.#emit({ kind: 'reassigned', record: moved, previousNonce: record.nonce })
        const fees = openingFees(look.market, record.kind, this.#settings.policy.fees)
        return await this.#offers.offer(moved, watch, fees, record.cancelled ? 'cancel' : 'request')
      }
      case 'send':
        return await this.#offers.offer(record, watch, action.fees, action.purpose)
      case 'rebroadcast': {
        const attempt = currentAttempt(record)
        if (attempt !== undefined) await this.#offers.repeat(record, watch, attempt)
        return
      }
      case 'capped':
        // Once an offer, not once a look.
        if (watch.cappedHash === currentAttempt(record)?.hash) return
        watch.cappedHash = currentAttempt(record)?.hash
        this.#emit({ kind: 'capped', record })
        return
      default:
        throw new Error(`unknown action ${action satisfies never}`)
    }
  }

  /** Takes from the queue, in order, what may be sent now. */
  async #admit(look: Look): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const request = this.#queue.first
      if (request === undefined) return
      const pending = this.#book.pending()
      if (pending.length >= this.#settings.policy.maxInFlight) return
      // Pools refuse an account's plain transactions while they hold its blob transactions, and the reverse.
      if (pending.some((record) => record.kind !== request.kind)) return
      let record: TxRecord
      try {
        record = await this.#prepare(request, look)
      } catch (error) {
        if (isBackfeedError(error, 'L1_UNREACHABLE')) throw error
        this.#queue.remove(request.id)
        this.#results.reject(request.id, error)
        continue
      }
      // A cancel may have come while the node was simulating.
      if (!this.#queue.has(request.id)) continue
      const isUnwritten = (error: unknown): boolean =>
        isBackfeedError(error, 'STORE_FAILED') && this.#book.get(request.id) === undefined
      await this.#queue.admit(request, () => this.#open(request, record, look), isUnwritten)
    }
  }

  /** The first offer. */
  async #open(request: TxRequest, record: TxRecord, look: Look): Promise<void> {
    if (request.kind === 'blob') await this.#signer.keepSidecar(request.id, request.sidecar)
    const watch = newWatch()
    this.#watches.set(record.id, watch)
    const fees = openingFees(look.market, record.kind, this.#settings.policy.fees)
    await this.#offers.offer(record, watch, fees, 'request')
  }

  async #prepare(request: TxRequest, look: Look): Promise<TxRecord> {
    const { client, policy, abi } = this.#settings
    const nonce = this.#book.nextNonce(look.accountNonce)
    const context = {
      client,
      from: this.address,
      abi: abi ?? [],
      policy,
      market: look.market,
      nonce,
      nowMs: this.#now(),
    }
    return await prepareRecord(request, context)
  }

  /** Forgets a transaction that no pool will ever take, when that leaves no hole in the nonces. */
  async #onRefused(record: TxRecord, cause: unknown): Promise<void> {
    if (!this.#book.canForget(record)) return
    await this.#book.forget(record.id)
    this.#finished.add(record.id)
    this.#watches.delete(record.id)
    const error = new BackfeedError('L1_REFUSED', `L1 refuses ${record.label}: ${describeError(cause)}`, {
      exitCode: ExitCode.refusedByL1,
      cause,
    })
    this.#emit({ kind: 'refused', record, error })
    this.#results.reject(record.id, error)
  }

  async #onMined(record: TxRecord, inclusion: Inclusion, look: Look): Promise<void> {
    const mined = await this.#book.save({ ...record, status: { kind: 'mined', inclusion } })
    const receipt = look.receipts.get(inclusion.hash)!
    this.#emit({ kind: 'mined', record: mined, receipt })
    this.#results.settle(record.id, 'mined', { receipt, failure: await this.#results.failureOf(mined, inclusion) })
  }

  async #onFinal(record: TxRecord, inclusion: Inclusion, look: Look): Promise<void> {
    const final = await this.#book.save({ ...record, status: { kind: 'final', inclusion } })
    // Asked while the blobs are still there.
    const failure = await this.#results.failureOf(final, inclusion)
    this.#finished.add(record.id)
    this.#watches.delete(record.id)
    const receipt = look.receipts.get(inclusion.hash)!
    this.#emit({ kind: 'final', record: final, receipt })
    this.#results.settle(record.id, 'final', { receipt, failure })
    await this.#tidy()
  }

  /** After those who wait were told: it may fail, and is tried again. */
  async #tidy(): Promise<void> {
    if (this.#finished.size > 0) await this.#book.forgetOldest()
    for (const id of this.#finished) {
      await this.#signer.dropSidecar(id)
      this.#finished.delete(id)
    }
  }

  async #noteCancels(): Promise<void> {
    for (const id of this.#cancelRequests) {
      const record = this.#book.get(id)
      if (record?.status.kind === 'pending') await this.#book.save({ ...record, cancelled: true })
      else if (this.#queue.remove(id)) this.#results.reject(id, cancelledError(id))
      this.#cancelRequests.delete(id)
    }
  }

  async #look(): Promise<Look> {
    return await lookAtL1(this.#settings.client, {
      address: this.address,
      finality: this.#settings.policy.finality,
      records: this.#book.open(),
      nowMs: this.#now(),
    })
  }

  #checkBalance(balanceWei: bigint): void {
    const isLow = balanceWei < this.#settings.policy.lowBalanceWei
    if (isLow && !this.#isBalanceLow) {
      this.#log.error({ balanceEther: Number(balanceWei) / 1e18 }, 'the posting account runs out of ether')
      this.#settings.onLowBalance?.(balanceWei)
    }
    this.#isBalanceLow = isLow
  }

  #emit(event: TxEvent): void {
    this.#reporter.event(event)
    for (const listener of this.#listeners) listener(event)
  }
}
