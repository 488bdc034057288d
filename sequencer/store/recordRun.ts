import { readU16, readU32, readU48, writeU16, writeU48 } from '../../protocol/bigEndian.ts'
import { PERIOD_INTERVALS, RECORD_BYTES } from '../../protocol/limits.ts'
import type { Bytes } from './keys.ts'

// An accepted record as the index holds it, in memory, in pages and in snapshots:
//   record 24 | position u48 | amountMicro u48 | entry's sequence u48 | row in the entry u16

export const ACCEPTED_BYTES = RECORD_BYTES + 20
/** EVSEs, one after another, that share pages: at a million of them a page still gets eight records, and a look-up reads little of others. */
const PAGE_EVSES = 64
const FIRST_CAPACITY = 1_024

export interface AcceptedRecord {
  readonly position: number
  /** What it was credited when it was accepted. */
  readonly amountMicro: number
  /** Journal entry that holds it, and its row there. */
  readonly sequence: number
  readonly row: number
  /** 24 bytes. */
  readonly record: Bytes
}

export interface RecordName {
  readonly evse: number
  readonly start: number
}

/** Which page a record belongs to: spans of an EVSE never overlap, so no page ever holds more than 64 × 60 of them. */
export interface PageName {
  readonly period: number
  readonly group: number
}

export function pageOf({ evse, start }: RecordName): PageName {
  return { period: Math.floor(start / PERIOD_INTERVALS), group: Math.floor(evse / PAGE_EVSES) }
}

export function readAccepted(bytes: Bytes, at: number): AcceptedRecord {
  return {
    record: new Uint8Array(bytes.subarray(at, at + RECORD_BYTES)),
    position: readU48(bytes, at + RECORD_BYTES),
    amountMicro: readU48(bytes, at + RECORD_BYTES + 6),
    sequence: readU48(bytes, at + RECORD_BYTES + 12),
    row: readU16(bytes, at + RECORD_BYTES + 18),
  }
}

export function isNamed(bytes: Bytes, at: number, { evse, start }: RecordName): boolean {
  return readU32(bytes, at + 8) === start && readU32(bytes, at) === evse
}

/** Accepted records in the order of their positions, each also chained to the one before of its page. Flat arrays: nothing is allocated a record. */
export class RecordRun {
  #bytes = new Uint8Array(FIRST_CAPACITY * ACCEPTED_BYTES)
  /** The record before of the same page, + 1. */
  #before = new Uint32Array(FIRST_CAPACITY)
  #pageOfRecord = new Uint32Array(FIRST_CAPACITY)
  #count = 0
  // Pages in the order in which they came up, found by an open hash table of page + 1.
  #periods = new Uint32Array(FIRST_CAPACITY)
  #groups = new Uint32Array(FIRST_CAPACITY)
  /** Its newest record, + 1. */
  #newest = new Uint32Array(FIRST_CAPACITY)
  #recordsOfPage = new Uint32Array(FIRST_CAPACITY)
  #pages = 0
  #table = new Uint32Array(2 * FIRST_CAPACITY)

  get count(): number {
    return this.#count
  }

  get pages(): number {
    return this.#pages
  }

  /** One above the position of the newest. */
  get end(): number {
    return readU48(this.#bytes, (this.#count - 1) * ACCEPTED_BYTES + RECORD_BYTES) + 1
  }

  add(rows: Bytes, at: number, place: Omit<AcceptedRecord, 'record'>): void {
    const to = this.#append(rows, at, RECORD_BYTES)
    const bytes = this.#bytes
    writeU48(bytes, to + RECORD_BYTES, place.position)
    writeU48(bytes, to + RECORD_BYTES + 6, place.amountMicro)
    writeU48(bytes, to + RECORD_BYTES + 12, place.sequence)
    writeU16(bytes, to + RECORD_BYTES + 18, place.row)
  }

  /** One as `bytesUpTo` gives them. */
  addBytes(accepted: Bytes, at: number): void {
    this.#append(accepted, at, ACCEPTED_BYTES)
  }

  /** Takes back all but the first `count`. */
  truncate(count: number): void {
    while (this.#count > count) {
      const index = --this.#count
      const page = this.#pageOfRecord[index]!
      this.#newest[page] = this.#before[index]!
      if (--this.#recordsOfPage[page]! === 0) this.#dropNewestPage()
    }
  }

  /** No page came up after one whose first record is taken back, so that nothing in the table stands where it does because of it. */
  #dropNewestPage(): void {
    const page = --this.#pages
    this.#table[this.#slotOf(this.#periods[page]!, this.#groups[page]!)] = 0
  }

  clear(): void {
    this.#count = 0
    this.#pages = 0
    this.#table.fill(0)
  }

  /** The first `count`; to be copied before anything else is added. */
  bytesUpTo(count: number): Bytes {
    return this.#bytes.subarray(0, count * ACCEPTED_BYTES)
  }

  nameOfPage(page: number): PageName {
    return { period: this.#periods[page]!, group: this.#groups[page]! }
  }

  recordsOfPage(page: number): number {
    return this.#recordsOfPage[page]!
  }

  /** The page's records, newest first. */
  writePage(page: number, into: Bytes): void {
    let to = 0
    for (let next = this.#newest[page]!; next > 0; next = this.#before[next - 1]!) {
      const from = (next - 1) * ACCEPTED_BYTES
      for (let i = 0; i < ACCEPTED_BYTES; i++) into[to + i] = this.#bytes[from + i]!
      to += ACCEPTED_BYTES
    }
  }

  /** The newest of that name among the first `count`. */
  find(name: RecordName, count: number): AcceptedRecord | undefined {
    const { period, group } = pageOf(name)
    const found = this.#table[this.#slotOf(period, group)]!
    if (found === 0) return undefined
    for (let next = this.#newest[found - 1]!; next > 0; next = this.#before[next - 1]!) {
      const at = (next - 1) * ACCEPTED_BYTES
      if (next <= count && isNamed(this.#bytes, at, name)) return readAccepted(this.#bytes, at)
    }
    return undefined
  }

  /** Takes the first `length` bytes of an accepted record, and returns where they lie. */
  #append(source: Bytes, at: number, length: number): number {
    if (this.#count === this.#before.length) this.#grow()
    const index = this.#count++
    const to = index * ACCEPTED_BYTES
    for (let i = 0; i < length; i++) this.#bytes[to + i] = source[at + i]!
    const page = this.#pageFor(
      Math.floor(readU32(source, at + 8) / PERIOD_INTERVALS),
      Math.floor(readU32(source, at) / PAGE_EVSES),
    )
    this.#pageOfRecord[index] = page
    this.#before[index] = this.#newest[page]!
    this.#newest[page] = index + 1
    this.#recordsOfPage[page]!++
    return to
  }

  #pageFor(period: number, group: number): number {
    const slot = this.#slotOf(period, group)
    const found = this.#table[slot]!
    if (found > 0) return found - 1
    const page = this.#pages++
    this.#periods[page] = period
    this.#groups[page] = group
    this.#newest[page] = 0
    this.#recordsOfPage[page] = 0
    this.#table[slot] = page + 1
    return page
  }

  /** Where the page stands in the table, or would. */
  #slotOf(period: number, group: number): number {
    const mask = this.#table.length - 1
    let slot = mixed(period, group) & mask
    for (;;) {
      const found = this.#table[slot]!
      if (found === 0) return slot
      if (this.#periods[found - 1] === period && this.#groups[found - 1] === group) return slot
      slot = (slot + 1) & mask
    }
  }

  /** No more pages than records, and the table twice as large: it never fills. */
  #grow(): void {
    const capacity = this.#before.length * 2
    this.#bytes = copied(this.#bytes, new Uint8Array(capacity * ACCEPTED_BYTES))
    this.#before = copied(this.#before, new Uint32Array(capacity))
    this.#pageOfRecord = copied(this.#pageOfRecord, new Uint32Array(capacity))
    this.#periods = copied(this.#periods, new Uint32Array(capacity))
    this.#groups = copied(this.#groups, new Uint32Array(capacity))
    this.#newest = copied(this.#newest, new Uint32Array(capacity))
    this.#recordsOfPage = copied(this.#recordsOfPage, new Uint32Array(capacity))
    this.#table = new Uint32Array(2 * capacity)
    for (let page = 0; page < this.#pages; page++) {
      this.#table[this.#slotOf(this.#periods[page]!, this.#groups[page]!)] = page + 1
    }
  }
}

function mixed(period: number, group: number): number {
  const hash = Math.imul(Math.imul(period, 0x9e3779b1) ^ group, 0x85ebca6b)
  return hash ^ (hash >>> 15)
}

function copied<T extends Uint8Array | Uint32Array>(from: T, into: T): T {
  into.set(from)
  return into
}
