import { crc32 } from 'node:zlib'
import { readU16, readU32, readU48, writeU32, writeU48 } from '../../protocol/bigEndian.ts'
import { RECORD_BYTES } from '../../protocol/limits.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import type { Database, WriteOperation } from './database.ts'
import { type Bytes, pageKey, recordKey, Table, tableKey } from './keys.ts'
import {
  ACCEPTED_BYTES,
  type AcceptedRecord,
  type PageName,
  pageOf,
  type RecordName,
  RecordRun,
  readAccepted,
} from './recordRun.ts'
import { WriteMemory } from './writeMemory.ts'

// Accepted records by (EVSE, start), which names one. The newest are in memory, where a replay or the lane's snapshot brings them back to.
// A run of them that is full goes into pages, a share with each write of the journal: an EVSE's records of one period lie in few pages,
// and a page costs the store little more than a record with a key of its own.
//
//   INDEX   end u48: records at lower positions are on disk | runs in pages u32 | 1: table RECORD holds some u8 | crc32 u32
//   PAGE    accepted record … (recordRun.ts) | crc32 u32
//   RECORD  position u48 | amountMicro u48 | batch u48 | entry's sequence u48 | row in the entry u16 | the record's other 16 bytes:
//           a key a record, as versions before wrote it; read and never written
//
// A crc32 is of the key and all before it.

const RUN_RECORDS = 131_072
const STATE_BYTES = 15
const CRC_BYTES = 4
const OLD_VALUE_BYTES = 42
const LAST_RUN = 0xffffffff
/** Pages looked up at once. */
const PAGES_AT_ONCE = 16

interface IndexState {
  /** Records at lower positions are on disk. */
  readonly end: number
  readonly runs: number
  readonly hasOld: boolean
}

/** Changed by the lane's writer alone, in step with its journal: what `operations` gave is durable when `written` is called. */
export class RecordIndex {
  readonly #database: Database
  readonly #lane: number
  readonly #runRecords: number
  readonly #memory = new WriteMemory()
  #state: IndexState
  #isStored: boolean
  #filling = new RecordRun()
  /** Records of `#filling` that the journal holds. */
  #durable = 0
  /** Full, and on its way into pages. */
  #draining: RecordRun | undefined
  #drainedPages = 0
  #spare: RecordRun | undefined
  /** What is so when the operations given last are durable. */
  #then: (() => void) | undefined

  private constructor(database: Database, lane: number, state: IndexState | undefined, runRecords: number) {
    this.#database = database
    this.#lane = lane
    this.#state = state ?? { end: 0, runs: 0, hasOld: false }
    this.#isStored = state !== undefined
    this.#runRecords = runRecords
  }

  /** Complete when it has been told what `replayLane` comes to. */
  static async open(
    database: Database,
    journal: { readonly lane: number; readonly length: number },
    runRecords = RUN_RECORDS,
  ): Promise<RecordIndex> {
    const key = tableKey(Table.INDEX, journal.lane)
    const value = await database.get(key)
    const state = value && decodeState(key, value)
    const index = new RecordIndex(database, journal.lane, state, runRecords)
    // A lane's first write brings its state: a journal without one is of a version before, and all of it has keys in table RECORD.
    if (state === undefined && journal.length > 0) {
      for await (const _ of database.entries(
        tableKey(Table.PAGE, journal.lane),
        tableKey(Table.PAGE, journal.lane + 1),
      )) {
        throw dataCorrupted(`lane ${journal.lane}'s record index has pages and no state`)
      }
      index.#state = { end: Number.POSITIVE_INFINITY, runs: 0, hasOld: true }
    }
    return index
  }

  /** Accepted, at a position above all before. */
  add(rows: Bytes, at: number, place: Omit<AcceptedRecord, 'record'>): void {
    if (place.position >= this.#state.end) this.#filling.add(rows, at, place)
  }

  /** What was in memory alone when a snapshot was taken. */
  restore(copy: Bytes): void {
    for (let at = 0; at + ACCEPTED_BYTES <= copy.length; at += ACCEPTED_BYTES) {
      if (readU48(copy, at + RECORD_BYTES) >= this.#state.end) this.#filling.addBytes(copy, at)
    }
  }

  /** Everything the journal holds, up to this position, has been added. */
  replayed(position: number): void {
    if (this.#state.end > position) this.#state = { ...this.#state, end: position }
    this.#durable = this.#filling.count
    this.#rotate()
  }

  /** What is durable and in memory alone. */
  copy(): Bytes {
    const draining = this.#draining?.bytesUpTo(this.#draining.count) ?? new Uint8Array()
    return Buffer.concat([draining, this.#filling.bytesUpTo(this.#durable)])
  }

  /**
   * To be written together with the entries of the `accepted` records added since the last write. Twice as many go into pages with them, so a
   * run has gone long before the next is full.
   */
  operations(accepted: number): WriteOperation[] {
    const draining = this.#draining
    const state = this.#state
    const operations: WriteOperation[] = []
    this.#then = undefined
    this.#memory.begin()
    if (draining !== undefined) {
      const least = this.#filling.count > this.#runRecords ? Number.POSITIVE_INFINITY : 2 * accepted
      const pages = this.#putPages(operations, draining, { run: state.runs, from: this.#drainedPages, least })
      if (pages < draining.pages) this.#then = () => (this.#drainedPages = pages)
      else this.#moveOn(operations, { ...state, end: draining.end, runs: state.runs + 1 })
    } else if (!this.#isStored) this.#moveOn(operations, state)
    return operations
  }

  /** The same with all that is in memory: what the journal is given now makes another of its replay. */
  flush(): WriteOperation[] {
    const operations: WriteOperation[] = []
    this.#memory.begin()
    let { end, runs } = this.#state
    for (const [run, from] of [[this.#draining, this.#drainedPages] as const, [this.#filling, 0] as const]) {
      if (run === undefined || run.count === 0) continue
      this.#putPages(operations, run, { run: runs, from, least: Number.POSITIVE_INFINITY })
      end = run.end
      runs++
    }
    this.#moveOn(operations, { ...this.#state, end, runs }, true)
    return operations
  }

  /** The operations given last are durable, and all that was added. */
  written(): void {
    this.#then?.()
    this.#then = undefined
    this.#durable = this.#filling.count
    this.#rotate()
  }

  /** To be called if they are not: takes back what has been added since. */
  mark(): () => void {
    const { count } = this.#filling
    return () => {
      this.#then = undefined
      this.#filling.truncate(count)
    }
  }

  /** Of each name the record accepted last, if one was: durable ones alone. */
  async find(names: readonly RecordName[]): Promise<(AcceptedRecord | undefined)[]> {
    const found = new Map<number, AcceptedRecord>()
    const missing = new Map<string, { page: PageName; ids: Set<number>; names: RecordName[] }>()
    for (const name of names) {
      const held = this.#filling.find(name, this.#durable) ?? this.#draining?.find(name, this.#draining.count)
      if (held !== undefined) {
        found.set(idOf(name), held)
        continue
      }
      const page = pageOf(name)
      const key = `${page.period} ${page.group}`
      const wanted = missing.get(key) ?? { page, ids: new Set<number>(), names: [] }
      wanted.ids.add(idOf(name))
      wanted.names.push(name)
      missing.set(key, wanted)
    }
    const pages = [...missing.values()]
    for (let from = 0; from < pages.length; from += PAGES_AT_ONCE) {
      const some = pages.slice(from, from + PAGES_AT_ONCE)
      await Promise.all(some.map(({ page, ids }) => this.#findInPages(page, ids, found)))
    }
    if (this.#state.hasOld) {
      const older = pages.flatMap((wanted) => wanted.names).filter((name) => !found.has(idOf(name)))
      await this.#findOld(older, found)
    }
    return names.map((name) => found.get(idOf(name)))
  }

  async #findInPages(page: PageName, ids: ReadonlySet<number>, found: Map<number, AcceptedRecord>): Promise<void> {
    const [from, to] = [pageKey(this.#lane, page, 0), pageKey(this.#lane, page, LAST_RUN)]
    // Most records of a page are passed over by one byte of their EVSE.
    const lowBytes = new Uint8Array(256)
    for (const id of ids) lowBytes[Math.floor(id / 2 ** 32) & 0xff] = 1
    for await (const [key, value] of this.#database.entries(from, to)) {
      const end = checkedEnd(key, value)
      for (let at = 0; at < end; at += ACCEPTED_BYTES) {
        if (lowBytes[value[at + 3]!] === 0) continue
        const id = readU32(value, at) * 2 ** 32 + readU32(value, at + 8)
        if (!ids.has(id)) continue
        const position = readU48(value, at + RECORD_BYTES)
        if (position > (found.get(id)?.position ?? -1)) found.set(id, readAccepted(value, at))
      }
    }
  }

  async #findOld(names: readonly RecordName[], found: Map<number, AcceptedRecord>): Promise<void> {
    if (names.length === 0) return
    const keys = names.map(({ evse, start }) => recordKey(this.#lane, evse, start))
    const values = await this.#database.getMany(keys)
    for (const [i, value] of values.entries()) {
      if (value?.length === OLD_VALUE_BYTES) found.set(idOf(names[i]!), decodeOld(keys[i]!, value))
    }
  }

  /** Pages from `from` on that hold `least` records between them; returns which page comes next. */
  #putPages(
    operations: WriteOperation[],
    run: RecordRun,
    { run: number, from, least }: { run: number; from: number; least: number },
  ): number {
    let page = from
    for (let records = 0; page < run.pages && records < least; page++) {
      const count = run.recordsOfPage(page)
      const key = pageKey(this.#lane, run.nameOfPage(page), number)
      const value = this.#memory.take(count * ACCEPTED_BYTES + CRC_BYTES)
      run.writePage(page, value)
      operations.push({ type: 'put', key, value: sealed(key, value) })
      records += count
    }
    return page
  }

  #moveOn(operations: WriteOperation[], state: IndexState, isFlush = false): void {
    const key = tableKey(Table.INDEX, this.#lane)
    operations.push({ type: 'put', key, value: encodeState(key, state) })
    this.#then = () => {
      this.#state = state
      this.#isStored = true
      if (this.#draining !== undefined) {
        this.#spare = this.#draining
        this.#spare.clear()
        this.#draining = undefined
        this.#drainedPages = 0
      }
      if (isFlush) this.#filling.clear()
    }
  }

  #rotate(): void {
    if (this.#draining !== undefined || this.#filling.count < this.#runRecords) return
    this.#draining = this.#filling
    this.#filling = this.#spare ?? new RecordRun()
    this.#spare = undefined
    this.#durable = 0
  }
}

function idOf({ evse, start }: RecordName): number {
  return evse * 2 ** 32 + start
}

function encodeState(key: Bytes, { end, runs, hasOld }: IndexState): Bytes {
  const value = new Uint8Array(STATE_BYTES)
  writeU48(value, 0, end)
  writeU32(value, 6, runs)
  value[10] = hasOld ? 1 : 0
  return sealed(key, value)
}

function decodeState(key: Bytes, value: Bytes): IndexState {
  if (value.length !== STATE_BYTES) throw dataCorrupted('the state of the record index')
  checkedEnd(key, value)
  return { end: readU48(value, 0), runs: readU32(value, 6), hasOld: value[10] === 1 }
}

function sealed(key: Bytes, value: Bytes): Bytes {
  const end = value.length - CRC_BYTES
  writeU32(value, end, crc32(value.subarray(0, end), crc32(key)))
  return value
}

/** Where the crc32 begins. Throws DATA_CORRUPTED when it is not that of what was written. */
function checkedEnd(key: Bytes, value: Bytes): number {
  const end = value.length - CRC_BYTES
  if (end < 0 || crc32(value.subarray(0, end), crc32(key)) !== readU32(value, end)) {
    throw dataCorrupted(`the record index at ${Buffer.from(key).toString('hex')}`)
  }
  return end
}

function decodeOld(key: Bytes, value: Bytes): AcceptedRecord {
  const record = new Uint8Array(RECORD_BYTES)
  record.set(key.subarray(5, 9), 0)
  record.set(value.subarray(26, 30), 4)
  record.set(key.subarray(9, 13), 8)
  record.set(value.subarray(30, 42), 12)
  return {
    position: readU48(value, 0),
    amountMicro: readU48(value, 6),
    sequence: readU48(value, 18),
    row: readU16(value, 24),
    record,
  }
}
