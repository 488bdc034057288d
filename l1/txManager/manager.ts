import { type Abi, type Address, type Hex, keccak256, type TransactionReceipt } from 'viem'
import { BackfeedError, describeError, ExitCode, isBackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { Component, ComponentContext } from '../../runtime/service.ts'
import { type BlobSidecar, emptySidecar, type SignedTransaction, signBlobTransaction } from '../blobTransaction.ts'
import { fromHex } from '../bytes.ts'
import type { L1Account, L1Client } from '../client.ts'
import { l1Error } from '../errors.ts'
import { gasLimit, MAX_TX_BYTES } from '../gas.ts'
import { classifyBroadcastError } from './broadcastError.ts'
import { findReceipt, type Look, lookAtL1 } from './chainView.ts'
import { type Action, decide, type Watch } from './decide.ts'
import { type Fees, openingFees } from './feeRules.ts'
import { explainFailure, simulate } from './simulate.ts'
import { type TxEvent, type TxReporter, txReporter } from './txEvents.ts'
import type { TxPolicy } from './txPolicy.ts'
import { type Attempt, currentAttempt, type Inclusion, type TxRecord, type TxRequest } from './txRecord.ts'
import type { TxStore } from './txStore.ts'
import { TxWaiters } from './txWaiters.ts'

/** Final records kept, so that a caller that crashed before it noted a result learns it by sending the id again. */
const KEPT_FINAL = 256

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
  readonly #records = new Map<string, TxRecord>()
  readonly #watches = new Map<string, Watch>()
  readonly #sidecars = new Map<string, BlobSidecar>()
  readonly #waiters = new TxWaiters()
  readonly #listeners = new Set<(event: TxEvent) => void>()
  #queue: TxRequest[] = []
  #cancelRequests = new Set<string>()
  #stopping = new AbortController()
  #running: Promise<void> | undefined
  #wake: (() => void) | undefined
  #isPoked = false
  #isBalanceLow = false
  #isUnreachable = false

  constructor(settings: TxManagerSettings) {
    this.#settings = settings
    this.#log = settings.log.child({ stage: 'tx', account: settings.account.address })
    this.#reporter = txReporter({
      log: this.#log,
      metrics: settings.metrics,
      lowBalanceWei: settings.policy.lowBalanceWei,
    })
    this.#now = settings.now ?? Date.now
  }

  get address(): Address {
    return this.#settings.account.address
  }

  /** Loads what was under way and goes on with it. */
  async start(context: Pick<ComponentContext, 'fail'>): Promise<void> {
    for (const record of await this.#settings.store.load()) this.#records.set(record.id, record)
    for (const record of this.#open()) this.#watches.set(record.id, newWatch())
    this.#stopping = new AbortController()
    this.#running = this.#run().catch((error: unknown) => {
      this.#waiters.rejectAll(error)
      context.fail(error)
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wake?.()
    await this.#running
    this.#waiters.rejectAll(
      new BackfeedError(
        'TX_MANAGER_STOPPED',
        'the transaction manager stopped; what was sent is looked after on restart',
        {
          retryable: true,
        },
      ),
    )
    this.#queue = []
  }

  /**
   * Resolves with the receipt once the transaction is in a block (it may still be reorganised out; see `final`). Rejects with
   * L1_REVERTED (in simulation or in a block), L1_REFUSED, TX_CANCELLED, TX_QUEUE_FULL, TX_GAS_OVER_CAP or TX_TOO_LARGE.
   */
  async send(request: TxRequest): Promise<TransactionReceipt> {
    const known = this.#records.get(request.id)
    if (known !== undefined) return await this.#resultOf(known, 'mined')
    if (!this.#queue.some((queued) => queued.id === request.id)) {
      if (this.#stopping.signal.aborted || this.#running === undefined) {
        throw new BackfeedError('TX_MANAGER_STOPPED', 'the transaction manager is not running', { retryable: true })
      }
      if (this.#queue.length >= this.#settings.policy.maxQueued) {
        throw new BackfeedError('TX_QUEUE_FULL', `${this.#queue.length} transactions wait already`, { retryable: true })
      }
      this.#queue.push(request)
    }
    const result = this.#waiters.wait(request.id, 'mined')
    this.poke()
    return await result
  }

  /** Resolves with the receipt once its block is final. Rejects as `send` does, and with TX_UNKNOWN. */
  async final(id: string): Promise<TransactionReceipt> {
    const record = this.#records.get(id)
    if (record !== undefined) return await this.#resultOf(record, 'final')
    if (this.#queue.some((queued) => queued.id === id)) return await this.#waiters.wait(id, 'final')
    throw new BackfeedError('TX_UNKNOWN', `no transaction ${id} is known`)
  }

  /** Tries to replace a transaction by one of the same kind that does nothing. The first of the two that is mined decides. */
  cancel(id: string): void {
    const queuedAt = this.#queue.findIndex((queued) => queued.id === id)
    if (queuedAt >= 0) {
      this.#queue.splice(queuedAt, 1)
      this.#waiters.reject(id, cancelledError(id))
      return
    }
    if (this.#records.get(id)?.status.kind !== 'pending') {
      throw new BackfeedError('TX_UNKNOWN', `no pending transaction ${id} is known`)
    }
    this.#cancelRequests.add(id)
    this.poke()
  }

  /** Look at L1 now: for callers that know that a block has come. */
  poke(): void {
    this.#isPoked = true
    this.#wake?.()
  }

  on(listener: (event: TxEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  records(): readonly TxRecord[] {
    return [...this.#records.values()]
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#stopping.signal.aborted) {
      this.#isPoked = false
      let isBusy = false
      try {
        isBusy = await this.#tick()
        failures = 0
        if (this.#isUnreachable) this.#log.info('L1 answers again')
        this.#isUnreachable = false
      } catch (error) {
        // Only L1's own troubles pass; a fault of ours or of the disk ends the service.
        if (!isBackfeedError(error) || (error.code !== 'L1_UNREACHABLE' && error.code !== 'L1_CALL_FAILED')) throw error
        failures++
        if (!this.#isUnreachable) this.#log.warn({ err: error }, `waiting for L1: ${describeError(error)}`)
        this.#isUnreachable = true
      }
      await this.#pause(isBusy ? 0 : this.#settings.policy.pollMs * Math.min(2 ** failures, 8), failures === 0)
    }
  }

  /** One look and everything that follows from it. True: look again at once. */
  async #tick(): Promise<boolean> {
    await this.#noteCancels()
    const look = await this.#look()
    this.#checkBalance(look.balanceWei)
    let isBusy = false
    for (const record of this.#open()) {
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
      pending: this.#open().filter((record) => record.status.kind === 'pending').length,
      queued: this.#queue.length,
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
        const pending = await this.#save({ ...record, status: { kind: 'pending' } })
        this.#emit({ kind: 'reorged', record: pending })
        const attempt = currentAttempt(pending)
        if (attempt !== undefined) await this.#broadcast(pending, watch, attempt)
        return
      }
      case 'nonceTaken':
        watch.nonceTakenAt = look.headNumber
        return
      case 'reassign': {
        watch.nonceTakenAt = undefined
        const moved = await this.#save({ ...record, nonce: this.#nextNonce(look.accountNonce) })
        this.#emit({ kind: 'reassigned', record: moved, previousNonce: record.nonce })
        const fees = openingFees(look.market, record.kind, this.#settings.policy.fees)
        return await this.#offer(moved, watch, fees, record.cancelled ? 'cancel' : 'request')
      }
      case 'send':
        return await this.#offer(record, watch, action.fees, action.purpose)
      case 'rebroadcast': {
        const attempt = currentAttempt(record)
        if (attempt !== undefined) await this.#broadcast(record, watch, attempt)
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
      const request = this.#queue[0]
      if (request === undefined) return
      const pending = this.#open().filter((record) => record.status.kind === 'pending')
      if (pending.length >= this.#settings.policy.maxInFlight) return
      // Pools refuse an account's plain transactions while they hold its blob transactions, and the reverse.
      if (pending.some((record) => record.kind !== request.kind)) return
      let record: TxRecord
      try {
        record = await this.#prepare(request, look)
      } catch (error) {
        if (isBackfeedError(error, 'L1_UNREACHABLE')) throw error
        this.#removeQueued(request.id)
        this.#waiters.reject(request.id, error)
        continue
      }
      // A cancel may have come while the node was simulating.
      if (!this.#removeQueued(request.id)) continue
      if (request.kind === 'blob') {
        await this.#settings.store.putSidecar(request.id, request.sidecar)
        this.#sidecars.set(request.id, request.sidecar)
      }
      const watch = newWatch()
      this.#watches.set(record.id, watch)
      await this.#offer(record, watch, openingFees(look.market, record.kind, this.#settings.policy.fees), 'request')
    }
  }

  async #prepare(request: TxRequest, look: Look): Promise<TxRecord> {
    const { client, account, abi, policy } = this.#settings
    const data = fromHex(request.data)
    if (data.length > MAX_TX_BYTES - 512) {
      throw new BackfeedError('TX_TOO_LARGE', `${request.label} has ${data.length} bytes of calldata`)
    }
    const { maxFeePerBlobGas } = openingFees(look.market, request.kind, policy.fees)
    const estimate =
      request.gas ?? (await simulate(client, account.address, request, { abi: abi ?? [], maxFeePerBlobGas }))
    const marginBps = request.gas === undefined ? policy.gasMarginBps : 10_000n
    return {
      id: request.id,
      label: request.label,
      kind: request.kind,
      to: request.to,
      data: request.data,
      value: request.value ?? 0n,
      gas: gasLimit({ estimate, data, marginBps }),
      createdAtMs: this.#now(),
      nonce: this.#nextNonce(look.accountNonce),
      cancelled: false,
      status: { kind: 'pending' },
      attempts: [],
    }
  }

  /** Signs an offer, writes it down, broadcasts it: in this order, so that no transaction of ours is ever unknown to us. */
  async #offer(record: TxRecord, watch: Watch, fees: Fees, purpose: Attempt['purpose']): Promise<void> {
    const unsigned = { nonce: record.nonce, fees, purpose, sentAtMs: this.#now() }
    const signed = await this.#sign(record, unsigned)
    const attempt: Attempt = { ...unsigned, hash: signed.hash }
    const isFirst = record.attempts.length === 0
    const saved = await this.#save({ ...record, attempts: [...record.attempts, attempt] })
    watch.underpriced = false
    this.#emit({ kind: isFirst ? 'sent' : 'replaced', record: saved, attempt })
    await this.#broadcast(saved, watch, attempt, signed)
  }

  async #broadcast(record: TxRecord, watch: Watch, attempt: Attempt, given?: SignedTransaction): Promise<void> {
    const signed = given ?? (await this.#sign(record, attempt))
    watch.lastBroadcastMs = this.#now()
    try {
      await this.#settings.client.sendRawTransaction({ serializedTransaction: signed.raw })
      return
    } catch (error) {
      const outcome = classifyBroadcastError(error)
      const fields = { err: error, tx: record.id, nonce: attempt.nonce, outcome }
      if (outcome === 'accepted') return
      // Whether it arrived is unknown: the next look tells, or the next broadcast.
      if (outcome === 'unreachable') throw l1Error(`broadcasting ${record.label}`, error)
      if (outcome === 'underpriced') watch.underpriced = true
      if (outcome !== 'refused') {
        this.#log.debug(fields, 'broadcast answered')
        return
      }
      this.#log.error(fields, `L1 refuses ${record.label}`)
      await this.#onRefused(record, error)
    }
  }

  /** Forgets a transaction that no pool will ever take, when that leaves no hole in the nonces. */
  async #onRefused(record: TxRecord, cause: unknown): Promise<void> {
    const hasLater = this.#open().some((other) => other.nonce > record.nonce)
    if (hasLater || record.attempts.length > 1) return
    await this.#settings.store.delete(record.id)
    this.#forget(record.id)
    const error = new BackfeedError('L1_REFUSED', `L1 refuses ${record.label}: ${describeError(cause)}`, {
      exitCode: ExitCode.refusedByL1,
      cause,
    })
    this.#emit({ kind: 'refused', record, error })
    this.#waiters.reject(record.id, error)
  }

  async #onMined(record: TxRecord, inclusion: Inclusion, look: Look): Promise<void> {
    const mined = await this.#save({ ...record, status: { kind: 'mined', inclusion } })
    const receipt = look.receipts.get(inclusion.hash)!
    this.#emit({ kind: 'mined', record: mined, receipt })
    const failure = await this.#failureOf(mined, inclusion)
    if (failure === undefined) this.#waiters.resolve(record.id, 'mined', receipt)
    else this.#waiters.rejectOne(record.id, 'mined', failure)
  }

  async #onFinal(record: TxRecord, inclusion: Inclusion, look: Look): Promise<void> {
    const final = await this.#save({ ...record, status: { kind: 'final', inclusion } })
    await this.#settings.store.deleteSidecar(record.id)
    this.#sidecars.delete(record.id)
    this.#watches.delete(record.id)
    const receipt = look.receipts.get(inclusion.hash)!
    this.#emit({ kind: 'final', record: final, receipt })
    const failure = await this.#failureOf(final, inclusion)
    if (failure === undefined) this.#waiters.resolve(record.id, 'final', receipt)
    else this.#waiters.reject(record.id, failure)
    await this.#forgetOldest()
  }

  async #forgetOldest(): Promise<void> {
    const finals = this.records().filter((record) => record.status.kind === 'final')
    finals.sort((a, b) => a.nonce - b.nonce)
    for (const record of finals.slice(0, Math.max(0, finals.length - KEPT_FINAL))) {
      await this.#settings.store.delete(record.id)
      this.#forget(record.id)
    }
  }

  async #resultOf(record: TxRecord, until: 'mined' | 'final'): Promise<TransactionReceipt> {
    const { status } = record
    const isThere = status.kind === 'final' || (status.kind === 'mined' && until === 'mined')
    if (!isThere) return await this.#waiters.wait(record.id, until)
    const failure = await this.#failureOf(record, status.inclusion)
    if (failure !== undefined) throw failure
    const receipt = await findReceipt(this.#settings.client, status.inclusion.hash).catch((cause: unknown) => {
      throw l1Error(`reading the receipt of ${record.label}`, cause)
    })
    if (receipt !== undefined) return receipt
    if (status.kind === 'mined') return await this.#waiters.wait(record.id, until)
    throw new BackfeedError('FINALITY_VIOLATED', `the receipt of final transaction ${status.inclusion.hash} is gone`)
  }

  async #failureOf(record: TxRecord, inclusion: Inclusion): Promise<unknown> {
    const attempt = record.attempts.find((candidate) => candidate.hash === inclusion.hash)
    if (attempt?.purpose === 'cancel') return cancelledError(record.id)
    if (inclusion.succeeded) return undefined
    const versionedHashes = (await this.#sidecarOf(record))?.versionedHashes ?? []
    const maxFeePerBlobGas = attempt?.fees.maxFeePerBlobGas ?? 1n
    const { client, account, abi } = this.#settings
    const failed = { record, inclusion, versionedHashes, maxFeePerBlobGas }
    const reason = await explainFailure(client, account.address, failed, abi ?? [])
    if (isBackfeedError(reason, 'L1_REVERTED')) return reason
    return new BackfeedError('L1_REVERTED', `${record.label} reverted in block ${inclusion.blockNumber}`, {
      exitCode: ExitCode.refusedByL1,
      cause: reason,
      details: { hash: inclusion.hash },
    })
  }

  async #noteCancels(): Promise<void> {
    for (const id of this.#cancelRequests) {
      const record = this.#records.get(id)
      if (record?.status.kind === 'pending') await this.#save({ ...record, cancelled: true })
      this.#cancelRequests.delete(id)
    }
  }

  async #sign(record: TxRecord, offer: Omit<Attempt, 'hash'>): Promise<SignedTransaction> {
    const isCancel = offer.purpose === 'cancel'
    const common = {
      chainId: this.#settings.client.chain.id,
      nonce: offer.nonce,
      to: isCancel ? this.address : record.to,
      data: isCancel ? ('0x' as Hex) : record.data,
      value: isCancel ? 0n : record.value,
      gas: isCancel ? 21_000n : record.gas,
      maxFeePerGas: offer.fees.maxFeePerGas,
      maxPriorityFeePerGas: offer.fees.maxPriorityFeePerGas,
    }
    if (record.kind === 'plain') {
      const raw = await this.#settings.account.signTransaction({ ...common, type: 'eip1559' })
      return { raw, hash: keccak256(raw) }
    }
    const sidecar = isCancel ? emptySidecar() : await this.#sidecarOf(record)
    if (sidecar === undefined) {
      throw new BackfeedError('DATA_CORRUPTED', `the stored blobs of ${record.id} are missing`, {
        exitCode: ExitCode.dataCorrupted,
      })
    }
    const blobFees = { ...common, maxFeePerBlobGas: offer.fees.maxFeePerBlobGas }
    return await signBlobTransaction(this.#settings.account, blobFees, sidecar)
  }

  async #sidecarOf(record: TxRecord): Promise<BlobSidecar | undefined> {
    if (record.kind !== 'blob') return undefined
    const held = this.#sidecars.get(record.id)
    if (held !== undefined) return held
    const stored = await this.#settings.store.getSidecar(record.id)
    if (stored !== undefined) this.#sidecars.set(record.id, stored)
    return stored
  }

  /** Records that can still change, in the order of their nonces. */
  #open(): TxRecord[] {
    return this.records()
      .filter((record) => record.status.kind !== 'final')
      .sort((a, b) => a.nonce - b.nonce)
  }

  #nextNonce(accountNonce: number): number {
    return this.#open().reduce((next, record) => Math.max(next, record.nonce + 1), accountNonce)
  }

  async #look(): Promise<Look> {
    return await lookAtL1(this.#settings.client, {
      address: this.address,
      finality: this.#settings.policy.finality,
      records: this.#open(),
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

  async #save(record: TxRecord): Promise<TxRecord> {
    await this.#settings.store.put(record)
    this.#records.set(record.id, record)
    return record
  }

  #forget(id: string): void {
    this.#records.delete(id)
    this.#watches.delete(id)
    this.#sidecars.delete(id)
  }

  #removeQueued(id: string): boolean {
    const before = this.#queue.length
    this.#queue = this.#queue.filter((queued) => queued.id !== id)
    return this.#queue.length < before
  }

  #emit(event: TxEvent): void {
    this.#reporter.event(event)
    for (const listener of this.#listeners) listener(event)
  }

  async #pause(ms: number, isPokable: boolean): Promise<void> {
    if (this.#stopping.signal.aborted || ms === 0 || (isPokable && this.#isPoked)) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        if (!isPokable && !this.#stopping.signal.aborted) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }
}

function newWatch(): Watch {
  return { lastBroadcastMs: 0, underpriced: false, nonceTakenAt: undefined, cappedHash: undefined }
}

function cancelledError(id: string): BackfeedError {
  return new BackfeedError('TX_CANCELLED', `transaction ${id} was cancelled`)
}
