import { readU48, writeU48 } from '../../protocol/bigEndian.ts'
import type { ResultCode } from '../../protocol/wire.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import { MAX_PAGE_ROWS } from '../limits.ts'
import type { EdgeStore, StoreOp } from '../store/edgeStore.ts'
import { type OutboxMetrics, outboxMetrics } from './metrics.ts'
import type { AnsweredRow, Deliverable, KeptRow, Outbox, OutboxRow, RowQueue, WaitingRow } from './outbox.ts'
import { QueueIndex } from './queueIndex.ts'
import {
  ANSWERED_PREFIX,
  answeredKey,
  checkRow,
  decodeAnswered,
  decodeWaiting,
  encodeAnswered,
  encodeWaiting,
  queueName,
  queueOf,
  queueOfKey,
  queuePrefix,
  WAITING_PREFIX,
  waitingKey,
} from './rows.ts'

export interface OutboxSettings {
  readonly store: EdgeStore
  /** Of all rows, keys and checksums included; LevelDB may take twice as much for a while. */
  readonly maxBytes: number
  /** Wall clock, milliseconds since the Unix epoch. */
  readonly now: () => number
  readonly log: Logger
  readonly metrics: Metrics
}

export interface OutboxFigures {
  readonly waitingRows: number
  readonly answeredRows: number
  readonly bytes: number
  /** Of these, of rows that wait: what cannot be dropped. */
  readonly waitingBytes: number
  readonly maxBytes: number
  /** Since the end of the oldest waiting record's span; 0 when none waits. */
  readonly oldestWaitingSeconds: number
}

/** A change of the box: decided, and on its way to the disk. */
interface Change {
  readonly written: Promise<void>
  /** Keys that are put in by it. */
  readonly keys?: readonly string[]
  readonly done?: () => Promise<void> | void
}

/** Answered rows u48 | their bytes u48: so that a start need not read them all. */
const TOTALS_KEY = 'box/n'
/** Of an entry on disk besides key and value: our checksum, and what LevelDB adds on the average. */
const ENTRY_OVERHEAD_BYTES = 16 + 12

/** Reads what waits: a start takes time by the backlog, not by what is kept. @throws BackfeedError DATA_CORRUPTED, STORE_FAILED */
export async function openOutbox(settings: OutboxSettings): Promise<LevelOutbox> {
  const outbox = new LevelOutbox(settings)
  await outbox.load()
  return outbox
}

export class LevelOutbox implements Outbox, Deliverable {
  readonly #settings: OutboxSettings
  readonly #store: EdgeStore
  readonly #metrics: OutboxMetrics
  readonly #queues = new QueueIndex()
  readonly #answeredListeners = new Set<(row: AnsweredRow) => void>()
  readonly #putListeners = new Set<(queue: RowQueue) => void>()
  /** Waiting keys that are being written, with the end of the write: not in the store, and not absent. */
  readonly #writing = new Map<string, Promise<void>>()
  #answeredRows = 0
  #answeredBytes = 0
  #waitingBytes = 0
  /** The end of the last preparation: what one change decides, the next one sees. */
  #turn: Promise<unknown> = Promise.resolve()
  #lastWrite: Promise<void> = Promise.resolve()
  /** A write failed: the figures no longer say what is on disk. */
  #isDoubtful = false

  constructor(settings: OutboxSettings) {
    this.#settings = settings
    this.#store = settings.store
    this.#metrics = outboxMetrics(settings.metrics)
    this.#metrics.maxBytes.set(settings.maxBytes)
  }

  async load(): Promise<void> {
    this.#queues.clear()
    this.#waitingBytes = 0
    for await (const [key, value] of this.#store.entries(WAITING_PREFIX)) {
      this.#queues.add(queueOfKey(key), decodeWaiting(key, value).row)
      this.#waitingBytes += entryBytes(key, value)
    }
    const totals = await this.#store.get(TOTALS_KEY)
    this.#answeredRows = totals === undefined ? 0 : readU48(totals, 0)
    this.#answeredBytes = totals === undefined ? 0 : readU48(totals, 6)
    this.#isDoubtful = false
  }

  put(rows: readonly OutboxRow[], also: readonly StoreOp[] = []): Promise<void> {
    for (const row of rows) checkRow(row)
    return this.#change(async () => {
      const putAtMs = this.#settings.now()
      const fresh = new Map<string, { row: OutboxRow; value: Uint8Array }>()
      const others: Promise<void>[] = []
      for (const row of rows) {
        const key = waitingKey(row.lane, row.row)
        const underWay = this.#writing.get(key)
        if (underWay !== undefined) others.push(underWay)
        if (underWay !== undefined || fresh.has(key) || (await this.#holds(row, key))) this.#metrics.repeats.inc()
        else fresh.set(key, { row, value: encodeWaiting({ row: row.row, putAtMs, held: undefined }) })
      }
      const ops: StoreOp[] = [...fresh].map(([key, { value }]) => ({ key, value }))
      const bytes = ops.reduce((sum, { key, value }) => sum + entryBytes(key, value!), 0)
      const dropped = bytes === 0 ? [] : await this.#makeRoom(bytes)
      this.#waitingBytes += bytes
      for (const { row } of fresh.values()) this.#queues.add(queueOf(row), row.row)
      const written = this.#write([...ops, ...this.#drops(dropped), ...also])
      for (const key of fresh.keys()) this.#writing.set(key, written)
      const done = async (): Promise<void> => {
        this.#metrics.puts.inc(fresh.size)
        await Promise.all(others)
        const queues = new Map([...fresh.values()].map(({ row }) => [queueName(queueOf(row)), queueOf(row)]))
        for (const queue of queues.values()) for (const listener of this.#putListeners) listener(queue)
      }
      return { written, keys: [...fresh.keys()], done }
    })
  }

  answer(rows: readonly AnsweredRow[]): Promise<void> {
    return this.#change(async () => {
      await this.#settled()
      const answeredAtMs = this.#settings.now()
      const ops = new Map<string, Uint8Array | undefined>()
      const answered: AnsweredRow[] = []
      for (const each of rows) {
        const from = waitingKey(each.lane, each.row)
        const value = ops.has(from) ? undefined : await this.#store.get(from)
        if (value === undefined) continue
        const { row, putAtMs } = decodeWaiting(from, value)
        const to = answeredKey(each.lane, row)
        const kept = encodeAnswered({ row, answer: each.answer, answeredAtMs }, putAtMs)
        ops.set(from, undefined).set(to, kept)
        answered.push(each)
        this.#waitingBytes -= entryBytes(from, value)
        this.#answeredBytes += entryBytes(to, kept)
        this.#answeredRows++
        this.#queues.remove(queueOf(each))
      }
      if (answered.length === 0) return undefined
      // With its receipt a row is larger than it was. The newest receipts may go over the limit by one request's answers; the next put mends it.
      const dropped = await this.#oldestAnswered(this.#bytes - this.#settings.maxBytes)
      const written = this.#write([
        ...[...ops].map(([key, value]) => ({ key, value })),
        ...this.#drops(dropped),
        this.#totals(),
      ])
      const done = async (): Promise<void> => {
        await this.#findOldest(answered)
        for (const row of answered) for (const listener of this.#answeredListeners) this.#tell(listener, row)
      }
      return { written, done }
    })
  }

  hold(rows: readonly WaitingRow[], code: ResultCode): Promise<void> {
    const sinceMs = this.#settings.now()
    return this.#change(async () => {
      await this.#settled()
      const ops: StoreOp[] = []
      for (const each of rows.filter(({ held }) => held === undefined)) {
        const key = waitingKey(each.lane, each.row)
        if ((await this.#store.get(key)) === undefined) continue
        ops.push({ key, value: encodeWaiting({ ...each, held: { code, sinceMs } }) })
      }
      return ops.length === 0 ? undefined : { written: this.#write(ops) }
    })
  }

  async page(queue: RowQueue, limit: number): Promise<WaitingRow[]> {
    const page: WaitingRow[] = []
    const range = { limit: Math.min(limit, MAX_PAGE_ROWS) }
    for await (const [key, value] of this.#store.entries(queuePrefix(queue), range))
      page.push(decodeWaiting(key, value))
    return page
  }

  async find(lane: number, record: Uint8Array): Promise<'WAITING' | KeptRow | undefined> {
    const from = waitingKey(lane, record)
    await this.#writing.get(from)
    if ((await this.#store.get(from)) !== undefined) return 'WAITING'
    const key = answeredKey(lane, record)
    const value = await this.#store.get(key)
    return value === undefined ? undefined : decodeAnswered(key, value)
  }

  /** Answered rows that are kept, the oldest span first. */
  async *answered(): AsyncIterable<KeptRow> {
    for await (const [key, value] of this.#store.entries(ANSWERED_PREFIX)) yield decodeAnswered(key, value)
  }

  waiting(): readonly (RowQueue & { readonly rows: number })[] {
    return this.#queues.list()
  }

  onAnswered(listener: (row: AnsweredRow) => void): () => void {
    this.#answeredListeners.add(listener)
    return () => this.#answeredListeners.delete(listener)
  }

  onPut(listener: (queue: RowQueue) => void): () => void {
    this.#putListeners.add(listener)
    return () => this.#putListeners.delete(listener)
  }

  figures(): OutboxFigures {
    const { oldestEnd, rows } = this.#queues
    return {
      waitingRows: rows,
      answeredRows: this.#answeredRows,
      bytes: this.#bytes,
      waitingBytes: this.#waitingBytes,
      maxBytes: this.#settings.maxBytes,
      oldestWaitingSeconds: oldestEnd === undefined ? 0 : Math.max(0, this.#settings.now() / 1000 - oldestEnd),
    }
  }

  /** Brings gauges up to date before they are read. */
  refreshMetrics(): void {
    const figures = this.figures()
    this.#metrics.waitingRows.set(figures.waitingRows)
    this.#metrics.answeredRows.set(figures.answeredRows)
    this.#metrics.bytes.set(figures.bytes)
    this.#metrics.oldestWaiting.set(figures.oldestWaitingSeconds)
  }

  get #bytes(): number {
    return this.#waitingBytes + this.#answeredBytes
  }

  /** Changes are prepared one after another; their writes run together. */
  async #change(prepare: () => Promise<Change | undefined>): Promise<void> {
    const before = this.#turn
    const prepared = before.then(async () => {
      if (this.#isDoubtful) await this.load()
      return prepare()
    })
    this.#turn = prepared.catch(() => {})
    const change = await prepared
    if (change === undefined) return
    try {
      await change.written
    } catch (error) {
      this.#isDoubtful = true
      throw error
    } finally {
      for (const key of change.keys ?? []) this.#writing.delete(key)
    }
    await change.done?.()
  }

  #write(ops: readonly StoreOp[]): Promise<void> {
    if (ops.length > 0) this.#lastWrite = this.#store.write(ops)
    return this.#lastWrite
  }

  /** Waits until what was decided before can be read: for changes that read what others remove. */
  async #settled(): Promise<void> {
    try {
      await this.#lastWrite
    } catch {
      await this.load()
      this.#lastWrite = Promise.resolve()
    }
  }

  async #holds({ lane, row }: OutboxRow, key: string): Promise<boolean> {
    if ((await this.#store.get(key)) !== undefined) return true
    return (await this.#store.get(answeredKey(lane, row))) !== undefined
  }

  /** Keys of answered rows to drop so that `bytes` more fit. @throws BackfeedError OUTBOX_FULL */
  async #makeRoom(bytes: number): Promise<string[]> {
    const { maxBytes } = this.#settings
    if (this.#waitingBytes + bytes > maxBytes) {
      this.#metrics.full.inc()
      throw new BackfeedError(
        'OUTBOX_FULL',
        `${this.#queues.rows} unanswered records take the ${maxBytes} bytes there are`,
        {
          retryable: true,
          details: { waitingRows: this.#queues.rows, waitingBytes: this.#waitingBytes, maxBytes },
        },
      )
    }
    return this.#oldestAnswered(this.#bytes + bytes - maxBytes)
  }

  /** Takes at least so many bytes of answered rows off the books, the oldest spans first. */
  async #oldestAnswered(excess: number): Promise<string[]> {
    const keys: string[] = []
    if (excess <= 0) return keys
    await this.#settled()
    let freed = 0
    for await (const [key, value] of this.#store.entries(ANSWERED_PREFIX)) {
      keys.push(key)
      freed += entryBytes(key, value)
      if (freed >= excess) break
    }
    this.#answeredRows -= keys.length
    this.#answeredBytes -= freed
    this.#metrics.dropped.inc(keys.length)
    return keys
  }

  #drops(keys: readonly string[]): StoreOp[] {
    if (keys.length === 0) return []
    return [...keys.map((key) => ({ key, value: undefined })), this.#totals()]
  }

  #totals(): StoreOp {
    const value = new Uint8Array(12)
    writeU48(value, 0, this.#answeredRows)
    writeU48(value, 6, this.#answeredBytes)
    return { key: TOTALS_KEY, value }
  }

  async #findOldest(rows: readonly AnsweredRow[]): Promise<void> {
    const queues = new Map(rows.map((row) => [queueName(queueOf(row)), queueOf(row)]))
    for (const queue of queues.values()) {
      const [first] = await this.page(queue, 1)
      if (first !== undefined) this.#queues.setOldest(queue, first.row)
    }
  }

  #tell(listener: (row: AnsweredRow) => void, row: AnsweredRow): void {
    try {
      listener(row)
    } catch (error) {
      this.#settings.log.error({ err: error, ...queueOf(row) }, 'a listener to answered records failed')
    }
  }
}

function entryBytes(key: string, value: Uint8Array): number {
  return key.length + value.length + ENTRY_OVERHEAD_BYTES
}
