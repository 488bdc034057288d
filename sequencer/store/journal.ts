import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { readU64, writeU64 } from '../../protocol/bigEndian.ts'
import type { SchemeLayout } from '../../protocol/scheme.ts'
import { dataCorrupted } from '../../runtime/dataCorrupted.ts'
import type { Database, WriteOperation } from './database.ts'
import {
  EntryKind,
  type EntryPlace,
  HASH_BYTES,
  type InsertedEntry,
  type JournalEntry,
  openEntry,
  type RedatedEntry,
  sealEntry,
  sealedBytes,
} from './entry.ts'
import { type Head, HeadFile } from '../../runtime/headFile.ts'
import { WriteMemory } from './writeMemory.ts'
import { type Bytes, numberedKey, numberOfKey, Table, tableKey } from './keys.ts'

export interface SequencedEntry {
  readonly sequence: number
  readonly entry: JournalEntry
}

export type Revision = (RedatedEntry | InsertedEntry) & { readonly sequence: number }

export interface JournaledLane {
  readonly lane: number
  /** How long its rows are. */
  readonly layout: SchemeLayout
}

const EMPTY_HEAD: Head = { sequence: 0, hash: new Uint8Array(HASH_BYTES) }

/**
 * What happened in a lane, in order: the truth that state is computed from. Entries count from 1 and are chained by hash. Nothing
 * that is read is believed unchecked; what does not fit is DATA_CORRUPTED.
 */
export class LaneJournal {
  readonly lane: number
  readonly layout: SchemeLayout
  readonly #database: Database
  readonly #headFile: HeadFile
  readonly #memory = new WriteMemory()
  #head: Head

  private constructor(database: Database, { lane, layout }: JournaledLane, headFile: HeadFile, head: Head) {
    this.#database = database
    this.lane = lane
    this.layout = layout
    this.#headFile = headFile
    this.#head = head
  }

  static async open(database: Database, of: JournaledLane): Promise<LaneJournal> {
    const { lane } = of
    const headFile = new HeadFile(join(database.folder, `head-${lane}`))
    try {
      const head = await checkedHead(database, lane, headFile)
      return new LaneJournal(database, of, headFile, head)
    } catch (error) {
      headFile.close()
      throw error
    }
  }

  /** The newest entry; sequence 0 when there is none. */
  get head(): Head {
    return this.#head
  }

  /** Sequence of the newest entry; 0 when there is none. */
  get length(): number {
    return this.#head.sequence
  }

  /** Appends entries, with whatever else must be true at the same instant, by one synchronous write. Not concurrently. */
  async append(entries: readonly JournalEntry[], others: readonly WriteOperation[] = []): Promise<void> {
    let { sequence, hash } = this.#head
    const operations: WriteOperation[] = []
    const { rowBytes } = this.layout
    this.#memory.begin()
    for (const entry of entries) {
      const value = this.#memory.take(sealedBytes(entry, rowBytes))
      const sealed = sealEntry(entry, this.#place(++sequence), hash, value)
      hash = sealed.hash
      operations.push({ type: 'put', key: numberedKey(Table.ENTRY, this.lane, sequence), value: sealed.value })
      if (entry.kind === EntryKind.REDATED || entry.kind === EntryKind.INSERTED) {
        operations.push({
          type: 'put',
          key: numberedKey(Table.REVISION, this.lane, sequence),
          value: new Uint8Array(0),
        })
      }
    }
    const head = { sequence, hash }
    for (const other of others) operations.push(other)
    operations.push({ type: 'put', key: tableKey(Table.HEAD, this.lane), value: encodeHead(head) })
    await this.#database.write(operations)
    this.#head = head
    this.#headFile.write(head)
  }

  /**
   * After a failed append: opens the store anew and takes back whatever of it may have reached the disk all the same, since its
   * callers were told that it did not. Rejects while the store cannot be written.
   */
  async recover(): Promise<void> {
    await this.#database.reopen()
    const operations: WriteOperation[] = [
      { type: 'put', key: tableKey(Table.HEAD, this.lane), value: encodeHead(this.#head) },
    ]
    const after = numberedKey(Table.ENTRY, this.lane, this.#head.sequence + 1)
    for await (const [key] of this.#database.entries(after, tableKey(Table.ENTRY, this.lane + 1))) {
      operations.push(
        { type: 'del', key },
        { type: 'del', key: numberedKey(Table.REVISION, this.lane, numberOfKey(key)) },
      )
    }
    await this.#database.write(operations)
  }

  /** Every entry behind `after` up to `head` in order, each checked against the one before and the last against the head. */
  async *read(after: Head = EMPTY_HEAD, head: Head = this.#head): AsyncIterable<SequencedEntry> {
    let { sequence, hash } = after
    const from = numberedKey(Table.ENTRY, this.lane, sequence + 1)
    for await (const [key, value] of this.#database.entries(from, tableKey(Table.ENTRY, this.lane + 1))) {
      if (sequence === head.sequence) break
      const opened = openEntry(value, this.#place(sequence + 1), hash)
      if (numberOfKey(key) !== sequence + 1 || opened === undefined) {
        throw dataCorrupted(`entry ${sequence + 1} of lane ${this.lane}'s journal`, { lane: this.lane })
      }
      sequence++
      hash = opened.hash
      yield { sequence, entry: opened.entry }
    }
    if (sequence !== head.sequence || Buffer.compare(hash, head.hash) !== 0) {
      throw dataCorrupted(`lane ${this.lane}'s journal ends at entry ${sequence}, its head is ${head.sequence}`)
    }
  }

  /** Of an entry, by its own bytes; undefined when there is none. */
  async hashOf(sequence: number): Promise<Bytes | undefined> {
    const value = await this.#database.get(numberedKey(Table.ENTRY, this.lane, sequence))
    return value?.slice(-HASH_BYTES)
  }

  /** Entries `from` … `to`, chained to the entry before `from` only by its stated hash; a whole `read` has checked them before. */
  async *readRange(from: number, to: number): AsyncIterable<SequencedEntry> {
    let sequence = from
    const start = numberedKey(Table.ENTRY, this.lane, from)
    const end = numberedKey(Table.ENTRY, this.lane, to + 1)
    let previous: Bytes | undefined
    for await (const [key, value] of this.#database.entries(start, end)) {
      previous ??= value.slice(5, 5 + HASH_BYTES)
      const opened = openEntry(value, this.#place(sequence), previous)
      if (numberOfKey(key) !== sequence || opened === undefined) {
        throw dataCorrupted(`entry ${sequence} of lane ${this.lane}'s journal`, { lane: this.lane })
      }
      yield { sequence, entry: opened.entry }
      previous = opened.hash
      sequence++
    }
    if (sequence !== to + 1) throw dataCorrupted(`entry ${sequence} of lane ${this.lane}'s journal is missing`)
  }

  /** The entries that revise batches before them, in order: a replay must know them before it comes to those batches. */
  async revisions(): Promise<Revision[]> {
    const found: Revision[] = []
    const from = tableKey(Table.REVISION, this.lane)
    for await (const [key] of this.#database.entries(from, tableKey(Table.REVISION, this.lane + 1))) {
      const sequence = numberOfKey(key)
      for await (const { entry } of this.readRange(sequence, sequence)) {
        if (entry.kind !== EntryKind.REDATED && entry.kind !== EntryKind.INSERTED) {
          throw dataCorrupted(`entry ${sequence} should revise a batch`)
        }
        found.push({ ...entry, sequence })
      }
    }
    return found
  }

  close(): void {
    this.#headFile.close()
  }

  #place(sequence: number): EntryPlace {
    return { lane: this.lane, sequence, rowBytes: this.layout.rowBytes }
  }
}

/** The head pointer, checked against the entry that it names, against entries behind it, and against the head file. */
async function checkedHead(database: Database, lane: number, headFile: HeadFile): Promise<Head> {
  const bound = headFile.read()
  const value = await database.get(tableKey(Table.HEAD, lane))
  const last = await lastSequence(database, lane)
  if (value === undefined) {
    if (last !== 0) throw dataCorrupted(`lane ${lane}'s journal has entries and no head`)
    if (bound !== undefined) throw dataCorrupted(`lane ${lane}'s journal has lost ${bound.sequence} entries`)
    return EMPTY_HEAD
  }
  const head = decodeHead(value)
  if (head === undefined) throw dataCorrupted(`the head of lane ${lane}'s journal`)
  if (last !== head.sequence)
    throw dataCorrupted(`lane ${lane}'s journal ends at ${last}, its head is ${head.sequence}`)
  if (bound !== undefined && bound.sequence > head.sequence) {
    throw dataCorrupted(`lane ${lane}'s journal ends at ${last} and certainly had ${bound.sequence} entries`)
  }
  if (bound?.sequence === head.sequence && Buffer.compare(bound.hash, head.hash) !== 0) {
    throw dataCorrupted(`the head of lane ${lane}'s journal is not the one that was written`)
  }
  return head
}

async function lastSequence(database: Database, lane: number): Promise<number> {
  const from = tableKey(Table.ENTRY, lane)
  for await (const [key] of database.entries(from, tableKey(Table.ENTRY, lane + 1), true)) return numberOfKey(key)
  return 0
}

function encodeHead(head: Head): Bytes {
  const value = new Uint8Array(72)
  writeU64(value, 0, head.sequence)
  value.set(head.hash, 8)
  value.set(createHash('sha256').update(value.subarray(0, 40)).digest(), 40)
  return value
}

function decodeHead(value: Bytes): Head | undefined {
  if (value.length !== 72) return undefined
  const checksum = createHash('sha256').update(value.subarray(0, 40)).digest()
  if (Buffer.compare(checksum, value.subarray(40)) !== 0) return undefined
  return { sequence: readU64(value, 0), hash: value.slice(8, 40) }
}
