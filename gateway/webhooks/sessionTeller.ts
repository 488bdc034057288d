import type { MeterBook } from '../../evse/metering/meterBook.ts'
import type { AnsweredRow, Outbox } from '../../evse/outbox/outbox.ts'
import type { EdgeStore, StoreOp } from '../../evse/store/edgeStore.ts'
import { keyU32 } from '../../evse/store/keys.ts'
import { describeError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import { Runner } from '../../runtime/runner.ts'
import type { WebhookEvent } from '../../runtime/webhooks/event.ts'
import { encodeJson } from '../../runtime/webhooks/webhookStore.ts'
import type { Webhooks } from '../../runtime/webhooks/webhooks.ts'
import {
  ACCOUNTS,
  type AccountRecord,
  type AccountWithheld,
  accountOf,
  accountPrefix,
  type EndedTransaction,
  endedKey,
  MARKS,
  type Mark,
  markKey,
  type NotedAnswer,
  notedAnswer,
  readStored,
  recordKey,
  recordPrefix,
  SINCE_KEY,
  type Since,
  withheldPieceKey,
  withheldPrefix,
} from './accountStore.ts'
import {
  type AnsweredPiece,
  type Deployment,
  energyOf,
  isAccepted,
  recordRefused,
  recordsSettled,
  type SessionSums,
  sessionClosed,
  sessionSettled,
} from './events.ts'
import { MAX_ANSWER_GROUP, STORE_RETRY_MS } from './limits.ts'
import type { SessionAccounts } from './sessionAccounts.ts'

export interface SessionTellerSettings {
  readonly store: EdgeStore
  readonly outbox: Pick<Outbox, 'find' | 'onAnswered'>
  readonly webhooks: Webhooks
  readonly deployment: Deployment
  readonly log: Logger
}

/** A record's final answer, on its way into its account. */
interface Answer {
  readonly lane: number
  readonly record: Uint8Array
  readonly answer: NotedAnswer
}

/**
 * Brings answers into the accounts of their transactions, and tells of these. Everything it knows is on disk before: what a kill cuts short is found
 * again at the next start. An event is queued in the write that takes its cause off the accounts.
 */
export class SessionTeller {
  readonly #settings: SessionTellerSettings
  readonly #ended = new Map<string, EndedTransaction>()
  readonly #answers: Answer[] = []
  /** Accounts to be looked at. */
  readonly #changed = new Set<string>()
  #pending: Pick<MeterBook, 'pending'> | undefined
  readonly #runner = new Runner(() => this.#runAll())
  #timer: NodeJS.Timeout | undefined
  #isStopped = false
  #stopListening = (): void => {}

  constructor(settings: SessionTellerSettings) {
    this.#settings = settings
  }

  /** Sessions that ended, of which something waits. */
  get waiting(): number {
    return this.#ended.size
  }

  /** Reads what was not told yet. @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
  async open(book: Pick<MeterBook, 'pending' | 'underWay'>, accounts: SessionAccounts): Promise<void> {
    const { store, outbox } = this.#settings
    accounts.setPartial(await this.#since(book, accounts))
    for await (const [key, value] of store.entries(ACCOUNTS)) {
      const [account, kind] = key.slice(ACCOUNTS.length).split('/')
      if (kind === 'a') this.#ended.set(account!, readStored<EndedTransaction>(key, value))
    }
    for await (const [key, value] of store.entries(MARKS)) {
      const { lane, record } = readStored<Mark>(key, value)
      const bytes = Buffer.from(record, 'hex')
      const known = await outbox.find(lane, bytes)
      if (known === 'WAITING') continue
      if (known === undefined) this.#settings.log.error({ lane, record }, 'the answer to a record is not kept any more')
      const none: NotedAnswer = { code: 'UNKNOWN', position: 0, amountMicro: 0, receipt: undefined }
      this.#answers.push({ lane, record: bytes, answer: known === undefined ? none : notedAnswer(known) })
    }
    for (const account of this.#ended.keys()) this.#changed.add(account)
    this.#pending = book
    this.#stopListening = outbox.onAnswered((row) => this.#answered(row))
    void this.#run()
  }

  changed(account: string, ended?: EndedTransaction): void {
    if (ended !== undefined) this.#ended.set(account, ended)
    if (!this.#ended.has(account)) return
    this.#changed.add(account)
    void this.#run()
  }

  /** Resolves when all that is known is on disk, or cannot be written. */
  settled(): Promise<void> {
    return this.#run()
  }

  async stop(): Promise<void> {
    this.#stopListening()
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.settled()
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  /** Transactions under way when there was nobody to tell: what was signed of them before is not in their accounts. */
  async #since(book: Pick<MeterBook, 'underWay'>, accounts: SessionAccounts): Promise<ReadonlySet<string>> {
    const { store } = this.#settings
    const value = await store.get(SINCE_KEY)
    if (value !== undefined) return new Set(readStored<Since>(SINCE_KEY, value).partial)
    const underWay = book.underWay()
    const partial = new Set(underWay.map(({ evse, transaction }) => accountOf(evse, transaction.id)))
    accounts.setPartial(partial)
    const since: Since = { partial: [...partial] }
    const ended = underWay
      .filter(({ transaction: { end } }) => end === 'ENDED' || end === 'ABANDONED')
      .flatMap(({ evse, transaction }) => accounts.ended(evse, [transaction]).ops)
    const forgotten = await this.#forgotten(partial)
    await store.write([...forgotten, { key: SINCE_KEY, value: encodeJson(since) }, ...ended])
    return partial
  }

  /** Accounts from a time when somebody was told, of transactions that ended when nobody was: nothing more is known of them. */
  async #forgotten(underWay: ReadonlySet<string>): Promise<StoreOp[]> {
    const known = new Set(underWay)
    const ops = new Map<string, StoreOp[]>()
    for await (const [key, value] of this.#settings.store.entries(ACCOUNTS)) {
      const [account = '', kind] = key.slice(ACCOUNTS.length).split('/')
      // The end comes first in an account.
      if (kind === 'a') known.add(account)
      if (known.has(account)) continue
      const own = ops.get(account) ?? []
      own.push({ key, value: undefined })
      if (kind === 'r') {
        const { lane, record } = readStored<AccountRecord>(key, value)
        own.push({ key: markKey(lane, Buffer.from(record, 'hex')), value: undefined })
      }
      ops.set(account, own)
    }
    if (ops.size > 0) {
      this.#settings.log.warn(
        { sessions: ops.size },
        'sessions that ended while no webhook was configured are not told',
      )
    }
    return [...ops.values()].flat()
  }

  #answered(row: AnsweredRow): void {
    this.#answers.push({ lane: row.lane, record: row.row, answer: notedAnswer(row) })
    void this.#run()
  }

  #run(): Promise<void> {
    if (this.#isStopped || this.#timer !== undefined) return Promise.resolve()
    return this.#runner.wake() // a little later: answers of one request, and what one write decided, are looked at together
  }

  async #runAll(): Promise<void> {
    try {
      while (this.#answers.length > 0 || this.#changed.size > 0) {
        if (this.#answers.length > 0) await this.#takeAnswers()
        const [account] = this.#changed
        if (this.#answers.length > 0 || account === undefined) continue
        this.#changed.delete(account)
        await this.#look(account).catch((error: unknown) => {
          this.#changed.add(account)
          throw error
        })
      }
    } catch (error) {
      this.#settings.log.error({ err: error }, `webhooks: sessions are not told: ${describeError(error)}`)
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        void this.#run()
      }, STORE_RETRY_MS)
    }
  }

  async #takeAnswers(): Promise<void> {
    const { store, webhooks, deployment } = this.#settings
    const group = this.#answers.slice(0, MAX_ANSWER_GROUP)
    const ops = new Map<string, StoreOp>()
    const touched = new Set<string>()
    const events: WebhookEvent[] = []
    const loose = new Map<string, AnsweredPiece[]>()
    for (const { lane, record, answer } of group) {
      const key = markKey(lane, record)
      const value = ops.has(key) ? undefined : await store.get(key)
      if (value === undefined) continue
      const mark = readStored<Mark>(key, value)
      const { evse, transaction } = mark
      const piece: AnsweredPiece = { lane, record: mark.record, answer }
      ops.set(key, { key, value: undefined })
      if (transaction !== undefined) {
        const account = accountOf(evse, transaction)
        const at = recordKey(account, record)
        ops.set(at, { key: at, value: encodeJson(piece) })
        touched.add(account)
      } else if (isAccepted(answer)) loose.set(evse, [...(loose.get(evse) ?? []), piece])
      if (!isAccepted(answer)) events.push(recordRefused(deployment, mark, piece))
    }
    for (const [evse, pieces] of loose) events.push(recordsSettled(deployment, evse, pieces))
    if (ops.size > 0) {
      const queued = webhooks.publish(events)
      await store.write([...ops.values(), ...queued.ops])
      queued.done()
    }
    this.#answers.splice(0, group.length)
    for (const account of touched) if (this.#ended.has(account)) this.#changed.add(account)
  }

  /** Tells of a session what can be told. */
  async #look(account: string): Promise<void> {
    const { store, webhooks, deployment, log } = this.#settings
    const ended = this.#ended.get(account)
    if (ended === undefined) return
    const { evse, transaction } = ended
    const { sums, keys } = await this.#sums(account, ended)
    const isSettled = sums.waitingRecords === 0
    if (!isSettled && ended.isClosedTold) return
    const event = (isSettled ? sessionSettled : sessionClosed)(deployment, ended, sums)
    const queued = webhooks.publish([event])
    const told = { ...ended, isClosedTold: true }
    const ops: StoreOp[] = isSettled
      ? [endedKey(account), ...keys].map((key) => ({ key, value: undefined }))
      : [{ key: endedKey(account), value: encodeJson(told) }]
    await store.write([...ops, ...queued.ops])
    queued.done()
    if (isSettled) this.#ended.delete(account)
    else this.#ended.set(account, told)
    log.debug({ evse, transaction, event: event.id, type: event.type }, 'a session is told')
  }

  async #sums(
    account: string,
    { evse, transaction }: EndedTransaction,
  ): Promise<{ sums: SessionSums; keys: readonly string[] }> {
    const { store } = this.#settings
    const answered: AnsweredPiece[] = []
    const withheld: AccountWithheld[] = []
    const keys: string[] = []
    // Before the store: what is decided meanwhile is seen in both, and must not be missed in both.
    const pending = this.#pending?.pending(evse, transaction) ?? []
    const waiting: AccountRecord[] = []
    for await (const [key, value] of store.entries(accountPrefix(account))) {
      if (key.startsWith(recordPrefix(account))) {
        const { answer, ...record } = readStored<AccountRecord>(key, value)
        if (answer === undefined) waiting.push(record)
        else answered.push({ ...record, answer })
      } else if (key.startsWith(withheldPrefix(account))) withheld.push(readStored<AccountWithheld>(key, value))
      else continue
      keys.push(key)
    }
    const decided = new Set(keys.map((key) => key.slice(0, recordPrefix(account).length + 8)))
    const drafts = pending.filter(
      (draft) =>
        !keys.includes(withheldPieceKey(account, draft)) &&
        (draft.kind === 'WITHHELD' || !decided.has(`${recordPrefix(account)}${keyU32(draft.start)}`)),
    )
    const waitingWh = [...waiting.map(energyOf), ...drafts.map(({ energyWh }) => energyWh)].reduce((a, b) => a + b, 0)
    const waitingRecords = waiting.length + drafts.length
    return { sums: { answered, withheld, waitingWh, waitingRecords }, keys }
  }
}

/** Nobody is told any more: what is signed from now on is in no account. */
export async function forgetSince(store: EdgeStore): Promise<void> {
  if ((await store.get(SINCE_KEY)) !== undefined) await store.write([{ key: SINCE_KEY, value: undefined }])
}
