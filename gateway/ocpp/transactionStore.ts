import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { EdgeStore, StoreOp } from '../../evse/store/edgeStore.ts'
import { keyText } from '../../evse/store/keys.ts'
import { BackfeedError } from '../../runtime/errors.ts'
import { MAX_TRANSACTIONS } from './limits.ts'
import type { ReadingGroup } from './reading.ts'

// What must be remembered of a transaction across a restart of the gateway: later messages name neither EVSE nor token again.

const ROW_PREFIX = 'ocpp/tx/'
const INTERVAL_PREFIX = 'ocpp/interval/'
const LAST_ID_KEY = 'ocpp/lastId16'
const MAX_PLAIN_KEY_CHARS = 96

const eventSchema = z.strictObject({
  kind: z.enum(['STARTED', 'UPDATED', 'ENDED']),
  seqNo: z.number(),
  atMs: z.number(),
  offline: z.boolean(),
  /** As read: what they mean depends on the EVSE's policy. Written by us and covered by the store's checksum. */
  groups: z.array(z.custom<ReadingGroup>()),
})

const rowSchema = z.strictObject({
  station: z.string(),
  transaction: z.string(),
  /** OCPP's number of the EVSE (1.6: connector). */
  evseId: z.number().optional(),
  /** The first that was let in: another card may end the transaction. */
  token: z.string().optional(),
  /** Which meter it is counted by. */
  source: z.string().optional(),
  /** Messages that came before the EVSE was known. */
  early: z.array(eventSchema),
  ended: z.boolean(),
  /** Station's clock at its first message. */
  beganMs: z.number(),
  /** Gateway's clock at the last change. */
  touchedMs: z.number(),
  /** Energy by intervals: the last message added, and the running totals it gave. */
  interval: z.strictObject({ seqNo: z.number(), registers: z.array(z.number().nullable()) }).optional(),
  /** OCPP 1.6: content of StartTransaction, and sequence numbers given to contents. */
  v16: z
    .strictObject({
      startedBy: z.string(),
      nextSeqNo: z.number(),
      contents: z.array(z.tuple([z.string(), z.number()])),
    })
    .optional(),
})

export type EarlyEvent = z.infer<typeof eventSchema>
export type TransactionRow = z.infer<typeof rowSchema>

export interface IntervalTotal {
  readonly evse: string
  readonly milliWh: number
}

export class TransactionStore {
  readonly #store: EdgeStore
  readonly #now: () => number
  readonly #stations = new Map<string, Map<string, TransactionRow>>()
  readonly #totals = new Map<string, number>()
  #lastId16 = 0

  constructor(store: EdgeStore, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** @throws BackfeedError DATA_CORRUPTED */
  async load(): Promise<void> {
    for await (const [key, value] of this.#store.entries(ROW_PREFIX)) {
      const row = readRow(key, value)
      this.#rows(row.station).set(row.transaction, row)
    }
    for await (const [key, value] of this.#store.entries(INTERVAL_PREFIX)) {
      this.#totals.set(decodeURIComponent(key.slice(INTERVAL_PREFIX.length)), readNumber(key, value))
    }
    const last = await this.#store.get(LAST_ID_KEY)
    if (last !== undefined) this.#lastId16 = readNumber(LAST_ID_KEY, last)
  }

  get(station: string, transaction: string): TransactionRow | undefined {
    return this.#stations.get(station)?.get(transaction)
  }

  of(station: string): Iterable<TransactionRow> {
    return this.#stations.get(station)?.values() ?? []
  }

  /**
   * The transaction that began last at this EVSE and has not ended, as far as it was told. Not the one that was told of last: an older one may
   * still be coming in from the station's queue.
   */
  openAt(station: string, evseId: number): TransactionRow | undefined {
    let latest: TransactionRow | undefined
    for (const row of this.of(station)) {
      if (row.evseId !== evseId || row.ended) continue
      if (latest === undefined || row.beganMs >= latest.beganMs) latest = row
    }
    return latest
  }

  totalMilliWh(evse: string): number {
    return this.#totals.get(evse) ?? 0
  }

  /**
   * Remembered when it resolves, and not at all when it rejects. Beyond the limit the oldest goes, first of those that have ended.
   * @throws BackfeedError STORE_FAILED
   */
  async put(row: TransactionRow, total?: IntervalTotal, alsoOps: readonly StoreOp[] = []): Promise<void> {
    const touched: TransactionRow = { ...row, touchedMs: this.#now() }
    const rows = this.#rows(row.station)
    const forgotten = rows.has(row.transaction) || rows.size < MAX_TRANSACTIONS ? undefined : oldest(rows.values())
    const ops: StoreOp[] = [{ key: rowKey(touched), value: Buffer.from(JSON.stringify(touched)) }, ...alsoOps]
    if (forgotten !== undefined) ops.push({ key: rowKey(forgotten), value: undefined })
    if (total !== undefined)
      ops.push({ key: INTERVAL_PREFIX + keyText(total.evse), value: Buffer.from(String(total.milliWh)) })
    await this.#store.write(ops)
    rows.set(touched.transaction, touched)
    if (forgotten !== undefined) rows.delete(forgotten.transaction)
    if (total !== undefined) this.#totals.set(total.evse, total.milliWh)
  }

  /**
   * OCPP 1.6: a transaction with an id of ours. Ids follow the clock, so that they stay new even when the gateway's disk was lost, and
   * fit OCPP's 32 bits until 2038.
   */
  async create16(row: Omit<TransactionRow, 'transaction'>): Promise<TransactionRow> {
    const id = Math.max(this.#lastId16 + 1, Math.floor(this.#now() / 1_000) % 0x7fff_ffff)
    this.#lastId16 = id // taken even if the write fails: nobody else may get it
    const created = { ...row, transaction: String(id) }
    await this.put(created, undefined, [{ key: LAST_ID_KEY, value: Buffer.from(String(id)) }])
    return created
  }

  #rows(station: string): Map<string, TransactionRow> {
    let rows = this.#stations.get(station)
    if (rows === undefined) {
      rows = new Map()
      this.#stations.set(station, rows)
    }
    return rows
  }
}

/** A transaction's id may be 36 characters of any script: what gets too long for a key is hashed. */
function rowKey({ station, transaction }: TransactionRow): string {
  const text = keyText(transaction)
  const name = text.length <= MAX_PLAIN_KEY_CHARS ? text : `#${createHash('sha256').update(transaction).digest('hex')}`
  return `${ROW_PREFIX}${keyText(station)}/${name}`
}

function oldest(rows: Iterable<TransactionRow>): TransactionRow | undefined {
  let found: TransactionRow | undefined
  for (const row of rows) {
    if (found?.ended === true && !row.ended) continue
    const sooner = found === undefined || (row.ended && !found.ended) || row.touchedMs < found.touchedMs
    if (sooner) found = row
  }
  return found
}

function readRow(key: string, value: Uint8Array): TransactionRow {
  try {
    return rowSchema.parse(JSON.parse(Buffer.from(value).toString()))
  } catch (cause) {
    throw new BackfeedError('DATA_CORRUPTED', `the store's ${key} is no transaction`, { cause })
  }
}

function readNumber(key: string, value: Uint8Array): number {
  const number = Number(Buffer.from(value).toString())
  if (!Number.isSafeInteger(number)) throw new BackfeedError('DATA_CORRUPTED', `the store's ${key} is no number`)
  return number
}
